"""`--query` of `alarm create` is read as aodhclient reads it (alarms 28)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alarms.queries import OPERATORS, TYPES, conditions
from pipeline.errors import InvalidValue


def test_the_example_of_the_specification() -> None:
    """alarms 28"""
    assert conditions("traits.a=string::x;traits.n>=integer::5") == [
        {"field": "traits.a", "op": "eq", "type": "string", "value": "x"},
        {"field": "traits.n", "op": "ge", "type": "integer", "value": "5"},
    ]


@pytest.mark.parametrize(
    ("sign", "name"),
    [("!=", "ne"), (">=", "ge"), ("<=", "le"), (">", "gt"), ("<", "lt"), ("=", "eq")],
)
def test_every_operator(sign: str, name: str) -> None:
    """alarms 28"""
    assert conditions(f"a{sign}1") == [{"field": "a", "op": name, "type": "", "value": "1"}]


@pytest.mark.parametrize(
    ("query", "kind", "value"),
    [
        ("a=b=c", "", "b=c"),
        ("a=::x", "", "x"),
        ("a=string::x::y", "string", "x::y"),
        ("a=string::>=", "string", ">="),
        ("a=string::", "string", ""),
        (" a = b c ", "", "b c"),
        ("a = string :: b", "string", "b"),
        ("a=datetime::2026-01-02T12:00:00", "datetime", "2026-01-02T12:00:00"),
    ],
)
def test_only_the_first_operator_and_the_first_type_count(
    query: str, kind: str, value: str
) -> None:
    assert conditions(query) == [{"field": "a", "op": "eq", "type": kind, "value": value}]


@pytest.mark.parametrize("query", ["", " ", ";", " ; ;"])
def test_no_conditions(query: str) -> None:
    assert conditions(query) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("a=1;b", "'b' has no operator, one of != >= <= > < =. Write --query"),
        ("=1", "'=1' has no field before its operator. Write --query"),
        ("a=", "'a=' has no value after its operator. Write --query"),
        ("a=integer::", "'a=integer::' has no value after its operator. Write --query"),
        ("a=int::5", "'a=int::5' has the unknown type 'int'. Use one of string, integer, "),
    ],
)
def test_what_cannot_be_read_is_said_with_how_to_write_it(query: str, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        conditions(query)
    assert str(caught.value).startswith(message)


NAMES = st.text("abcdefgh._-", min_size=1)
VALUES = st.text("abc =<>!:0'\"é", min_size=1).map(str.strip).filter(lambda v: v and "::" not in v)


@given(st.lists(st.tuples(NAMES, st.sampled_from([*OPERATORS]), st.sampled_from(TYPES), VALUES)))
def test_what_is_written_is_read_back(written: list[tuple[str, str, str, str]]) -> None:
    query = ";".join(f"{field}{sign}{kind}::{value}" for field, sign, kind, value in written)
    assert conditions(query) == [
        {"field": field, "op": OPERATORS[sign], "type": kind, "value": value}
        for field, sign, kind, value in written
    ]
