"""`alarm list --query` chooses alarms by an expression (alarms 29), filters by fields (19)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alarms.criteria import AllOf, AnyOf, Comparison, Criterion, Negation
from pipeline.alarms.expressions import criterion
from pipeline.alarms.filters import filters_of, sort_of
from pipeline.errors import InvalidValue


@pytest.mark.parametrize(
    ("expression", "what", "place"),
    [
        ("", "no field is called ''", 0),
        ("colour=red", "no field is called 'colour'. Use one of alarm_id, name", 0),
        ("state", "expected an operator, one of == eq", 5),
        ("state=", "expected a value", 6),
        ("state=)", "expected a value", 6),
        ("state=ok and", "no field is called ''", 12),
        ("state=ok state=alarm", "expected and, or, or the end", 9),
        ("(state=ok", "expected )", 9),
        ("state in ok", "in needs a list: [one, two]", 9),
        ("state in [ok alarm]", "expected , or ]", 13),
        ("state=[ok]", "a list goes with the operator in", 6),
        ("enabled=maybe", "expected true or false, not 'maybe'", 8),
        ("severity=hihg", "unknown severity 'hihg'. Use one of low, moderate, critical", 9),
        ("timestamp>noon", "expected a time as 2026-01-02T12:00:00Z, not 'noon'", 10),
        ("name=~'('", "no regular expression", 7),
        ("name=~'(?<=a)b'", "no regular expression", 7),
        ("enabled=~a", "=~ goes with text", 9),
        ("enabled<true", "enabled is true or false, and goes with = and != only", 8),
        ("severity>hihg", "unknown severity 'hihg'", 9),
        ("state in [[ok]]", "a list goes with the operator in", 10),
        ("name='a", 'cannot read "\'a"', 5),
    ],
)
def test_what_is_wrong_is_pointed_at(expression: str, what: str, place: int) -> None:
    with pytest.raises(InvalidValue) as caught:
        criterion(expression)
    message, shown, pointer = str(caught.value).split("\n")
    assert message.startswith(f"--query: {what}")
    assert shown == f"  {expression}"
    assert pointer.index("^") - 2 == place


@given(st.text("ab=<>!~()[],'\" andornt"))
def test_any_text_is_an_expression_or_refused(expression: str) -> None:
    said = ""
    try:
        found: Criterion | None = criterion(expression)
    except InvalidValue as error:
        found, said = None, str(error)
    assert "--query: " in said or isinstance(found, AllOf | AnyOf | Comparison | Negation)


@pytest.mark.parametrize(
    "expression", ["(" * 2_000, "not " * 2_000, "name in [" + "a," * 600 + "b]"]
)
def test_what_is_too_large_is_refused(expression: str) -> None:
    with pytest.raises(InvalidValue, match=r"more than (50 levels|500 values)"):
        criterion(expression)


class TestFilters:
    """alarms 19, 20"""

    def test_keys_and_values_by_kind(self) -> None:
        assert filters_of(
            ["state=alarm; enabled=False", "timestamp=2026-01-02T13:00:00+01:00"]
        ) == {
            "state": "alarm",
            "enabled": False,
            "timestamp": datetime(2026, 1, 2, 12, tzinfo=UTC),
        }

    def test_all_projects_changes_nothing_here(self) -> None:
        assert filters_of(["all_projects=true", "name=a=b"]) == {"name": "a=b"}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("state", "filter 'state' has no =. Write KEY=VALUE."),
            ("sate=ok", "filter: unknown key 'sate'. Use one of name, "),
            ("state=okay", "filter: unknown state 'okay'. Use one of ok, alarm, "),
            ("enabled=1.5", "filter: enabled is true or false, not '1.5'."),
            ("timestamp=noon", "filter: 'noon' is no time. Write 2026-01-02T12:00:00Z."),
        ],
    )
    def test_what_does_not_fit(self, text: str, message: str) -> None:
        with pytest.raises(InvalidValue) as caught:
            filters_of([text])
        assert str(caught.value).startswith(message)

    def test_sort_keys(self) -> None:
        assert sort_of(["name", "severity:desc"]) == [("name", "asc"), ("severity", "desc")]
        assert sort_of([]) == (("timestamp", "desc"),)
