"""What conditions mean, operator by operator and type by type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.alarms.conditions import OPERATORS, TYPES, check, hits, holds
from pipeline.errors import InvalidValue

from builders import a_condition, a_rule, an_event

EVERY_OPERATOR = ["lt", "le", "eq", "ne", "ge", "gt"]
EVERY_TYPE = ["", "string", "integer", "float", "boolean", "datetime"]
VALUES = {
    "": "5",
    "string": "5",
    "integer": "5",
    "float": "5.0",
    "boolean": "true",
    "datetime": "2026-01-02T12:00:00",
}


def test_the_tables_hold_aodhs_operators_and_types() -> None:
    """alarms 3"""
    assert set(OPERATORS) == set(EVERY_OPERATOR)
    assert set(TYPES) == set(EVERY_TYPE)


@pytest.mark.parametrize("op", EVERY_OPERATOR)
@pytest.mark.parametrize("type", EVERY_TYPE)
def test_a_missing_trait_makes_every_operator_false(op: str, type: str) -> None:
    """alarms 10: a missing trait makes every operator false, `ne` included."""
    assert not holds(a_condition("traits.absent", VALUES[type], op, type), an_event(other="5"))


@pytest.mark.parametrize("op", EVERY_OPERATOR)
@pytest.mark.parametrize("type", EVERY_TYPE)
def test_a_null_makes_every_operator_false(op: str, type: str) -> None:
    """alarms 10"""
    event = an_event(raw={"payload": {"a": None}})
    assert not holds(a_condition("raw.payload.a", VALUES[type], op, type), event)


@pytest.mark.parametrize("op", EVERY_OPERATOR)
@pytest.mark.parametrize(
    ("type", "trait"),
    [
        ("", 5),
        ("string", 5.0),
        ("integer", "5"),
        ("float", "5.0"),
        ("boolean", "perhaps"),
        ("boolean", 7),
        ("datetime", "2026-01-02T12:00:00"),
        ("integer", datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_a_value_of_another_kind_makes_every_operator_false(
    op: str, type: str, trait: Any
) -> None:
    """alarms 10, and Aodh: a text is no number, and a number no text."""
    assert not holds(a_condition("traits.t", VALUES[type], op, type), an_event(t=trait))


@pytest.mark.parametrize(
    ("op", "less", "equal", "greater"),
    [
        ("lt", True, False, False),
        ("le", True, True, False),
        ("eq", False, True, False),
        ("ne", True, False, True),
        ("ge", False, True, True),
        ("gt", False, False, True),
    ],
)
@pytest.mark.parametrize(
    ("type", "value", "traits"),
    [
        ("", "b", ("a", "b", "c")),
        ("string", "b", ("a", "b", "c")),
        ("integer", "5", (4, 5, 6)),
        ("integer", "5", (4.9, 5.0, 5.1)),
        ("float", "5.5", (5, 5.5, 6)),
        ("integer", "9223372036854775808", (9223372036854775807, 2**63, 10**30)),
        (
            "datetime",
            "2026-01-02T13:00:00+01:00",
            tuple(datetime(2026, 1, 2, hour, tzinfo=UTC) for hour in (11, 12, 13)),
        ),
    ],
)
def test_operators_compare_the_trait_with_the_value(
    op: str, less: bool, equal: bool, greater: bool, type: str, value: str, traits: tuple[Any, ...]
) -> None:
    """alarms 3; integers and floats are one class."""
    condition = a_condition("traits.t", value, op, type)
    assert [holds(condition, an_event(t=trait)) for trait in traits] == [less, equal, greater]


@pytest.mark.parametrize("trait", ["True", "true", "yes", "on", "1", " T ", 1, 1.0])
def test_a_boolean_condition_reads_what_a_trait_makes_of_true(trait: Any) -> None:
    """alarms 10: boolean conditions work. Traits have no booleans: JSON's true is text or 1."""
    event = an_event(t=trait)
    assert holds(a_condition("traits.t", "true", type="boolean"), event)
    assert not holds(a_condition("traits.t", "no", type="boolean"), event)
    assert holds(a_condition("traits.t", "no", "ne", "boolean"), event)


@pytest.mark.parametrize("trait", ["False", "off", "n", "0", 0, 0.0])
def test_a_boolean_condition_reads_what_a_trait_makes_of_false(trait: Any) -> None:
    """alarms 10"""
    assert holds(a_condition("traits.t", "false", type="boolean"), an_event(t=trait))


def test_a_boolean_is_not_a_number() -> None:
    """alarms 10; matching a boolean as 1 would be an accident of Python."""
    event = an_event(raw={"flag": True})
    assert holds(a_condition("raw.flag", "true", type="boolean"), event)
    assert not holds(a_condition("raw.flag", "1", type="integer"), event)


def test_conditions_on_fields_that_are_not_traits_work() -> None:
    """alarms 10: conditions on non-trait fields (event_type, message_id, generated) work."""
    event = an_event(
        event_type="a.b",
        message_id="m-1",
        generated=datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC),
        raw={"payload": {"n": 3, "at": "2026-01-01T00:00:00Z"}},
    )
    for condition in (
        a_condition("event_type", "a.b"),
        a_condition("event_type", "x", "ne"),
        a_condition("message_id", "m-1", type="string"),
        a_condition("generated", "2026-01-02T03:04:05.000600"),
        a_condition("generated", "2026-01-02", "gt"),
        a_condition("generated", "2026-01-02T03:04:04Z", "gt", "datetime"),
        a_condition("raw.payload.n", "3", "ge", "integer"),
        a_condition("raw.payload.at", "2026-01-01T01:00:00+01:00", "eq", "datetime"),
    ):
        assert holds(condition, event), condition


@pytest.mark.parametrize("field", ["", "traits", "raw", "raw.", "raw.a.b", "color", "generated.x"])
def test_a_field_that_no_event_has_is_absent(field: str) -> None:
    event = an_event(raw={"a": ["b"]})
    assert not holds(a_condition(field, "x", "ne"), event)


def test_dots_are_part_of_a_traits_name() -> None:
    event = an_event(**{"a.b": "x"})
    assert holds(a_condition("traits.a.b", "x"), event)


@pytest.mark.parametrize(
    ("value", "type", "message"),
    [
        (
            "hello",
            "integer",
            "Unable to convert the value hello to the expected data type integer.",
        ),
        ("5.0", "integer", "Unable to convert the value 5.0 to the expected data type integer."),
        ("x", "float", "Unable to convert the value x to the expected data type float."),
        ("nan", "float", "Unable to convert the value nan to the expected data type float."),
        (
            "maybe",
            "boolean",
            "Unable to convert the value maybe to the expected data type boolean.",
        ),
        (
            "noon",
            "datetime",
            "Unable to convert the value noon to the expected data type datetime.",
        ),
        (
            "0001-01-01T00:00:00+14:00",
            "datetime",
            "Unable to convert the value 0001-01-01T00:00:00+14:00 to the expected data type"
            " datetime.",
        ),
        (None, "", "Unable to convert the value None to the expected data type string."),
    ],
)
def test_a_value_that_does_not_convert_is_refused(value: Any, type: str, message: str) -> None:
    """alarms 3"""
    with pytest.raises(InvalidValue) as refused:
        check(a_rule("*", a_condition("traits.t", value, type=type)))
    assert str(refused.value) == message


def test_an_unknown_type_or_operator_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InvalidValue, match=r"data type colour is not supported.*'datetime'"):
        check(a_rule("*", a_condition("traits.t", "5", type="colour")))
    with pytest.raises(InvalidValue, match=r"unknown operator 'gte'. Use one of .*'g[te]'"):
        check(a_rule("*", a_condition("traits.t", "5", "gte")))


def test_event_type_and_every_condition_must_hold() -> None:
    """alarms 10"""
    rule = a_rule("identity.*.deleted", a_condition("traits.a", "1"), a_condition("traits.b", "2"))
    assert hits(rule, an_event(event_type="identity.user.deleted", a="1", b="2"))
    assert not hits(rule, an_event(event_type="identity.user.deleted", a="1", b="3"))
    assert not hits(rule, an_event(event_type="identity.user.created", a="1", b="2"))
    assert not hits(rule, an_event(event_type="Identity.user.deleted", a="1", b="2"))
