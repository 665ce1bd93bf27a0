"""Field paths find what Ceilometer's paths find."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpath_ng.ext.parser import parse as jsonpath

from pipeline.errors import InvalidValue
from pipeline.normalise.fields import PlainField, QueryField, parse

from messages import traits

DOCUMENT = {
    "publisher_id": "compute.host.example",
    "payload": {
        "a": {"b": 1},
        "m": {"org.x__1__y": "quoted", "a-b": "dash"},
        "lst": [{"key": "image_id", "value": "v0"}, {"key": "other", "value": "v1"}],
        "text": "b,a",
        "n": 7,
        "letters": ["b", "a"],
        "null": None,
    },
    "v": "top",
}


def found(path: str, document: Any = DOCUMENT) -> list[Any]:
    return [value for _, value in parse(path).matches(document)]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("payload.a.b", [1]),
        ("$.payload.a.b", [1]),
        ("payload[a][b]", [1]),
        ("payload['a'].b", [1]),
        ("payload.m.'org.x__1__y'", ["quoted"]),
        ('payload.m."org.x__1__y"', ["quoted"]),
        ("payload.m.a-b", ["dash"]),
        ("payload.lst[0].key", ["image_id"]),
        ("payload.lst[-1].key", ["other"]),
        ("payload.lst[2].key", []),
        ("payload.lst.key", []),
        ("payload.a[0]", []),
        ("payload.null", []),
        ("nothing.at.all", []),
        ("publisher_id.`split(., 1, 1)`", ["host.example"]),
        ("publisher_id.`split(., 0, -1)`", ["compute"]),
        ("publisher_id.`split(., -1, -1)`", ["example"]),
        ("publisher_id.`split(., 7, -1)`", []),
        ("payload.text.`split(',', 1, -1)`", ["a"]),
        ("payload.n.`split(., 0, 1)`", []),
    ],
)
def test_plain_paths(path: str, values: list[Any]) -> None:
    """events-in 16"""
    assert isinstance(parse(path), PlainField)
    assert found(path) == values


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("payload.lst[*].value", ["v0", "v1"]),
        ("payload.lst[?key=image_id].value", ["v0"]),
        ("payload.lst[?key='other'].value", ["v1"]),
        ("$..value", ["v0", "v1"]),
        ("payload.a.*", [1]),
        ("payload.letters.`len`", [2]),
        ("payload.letters.`sorted`", [["a", "b"]]),
        ("payload.n + 5", [12]),
        ("publisher_id.`sub(/compute/, nova)`", ["nova.host.example"]),
        ("(payload.nothing)|(v)", ["top"]),
        ("publisher_id.`split(., *, -1)`", [["compute", "host", "example"]]),
    ],
)
def test_paths_that_search(path: str, values: list[Any]) -> None:
    """events-in 16"""
    assert isinstance(parse(path), QueryField)
    assert found(path) == values


@pytest.mark.parametrize(
    "path", ["", " ", "payload.", "payload.[", "a b", "a..", "[", "payload.'x", "a.`nothing()`"]
)
def test_a_broken_path_is_told_how_to_write_one(path: str) -> None:
    with pytest.raises(InvalidValue, match=r"is not a field path: .* Write names joined by dots"):
        parse(path)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("payload.a.b", "payload.a.b"),
        ("payload.m.'org.x__1__y'", "payload.m.org.x__1__y"),
        ("payload.lst[1].value", "payload.lst.[1].value"),
        ("payload.lst[?key=other].value", "payload.lst.[1].value"),
        ("payload.m.*", "payload.m.org.x__1__y"),
        ("publisher_id.`split(., 0, 1)`", ""),
        ("publisher_id.`sub(/compute/, nova)`", ""),
    ],
)
def test_plugins_are_told_the_path_of_a_match(path: str, named: str) -> None:
    assert parse(path).matches(DOCUMENT)[0][0] == named


def test_the_first_match_that_is_not_null_counts() -> None:
    """events-in 15"""
    payload = {"a": None, "b": "second", "c": "third", "lst": [{"v": None}, {"v": 5}]}
    found = traits(
        """
t1: {fields: [payload.a, payload.nothing, payload.b, payload.c]}
t2: {fields: [payload.c, payload.b]}
t3: {fields: ['payload.lst[*].v', payload.b]}
t4: {fields: [payload.a, payload.nothing]}
""",
        payload=payload,
    )
    assert found == {"t1": "second", "t2": "third", "t3": "5"}


NAMES = st.sampled_from(["a", "b", "c-d", "e_1"])
JSON = st.recursive(
    st.none() | st.integers(-9, 9) | st.sampled_from(["x", "x.y", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)
STEPS = st.lists(NAMES | st.integers(-3, 3), min_size=1, max_size=4)


@given(JSON, STEPS, st.booleans())
def test_plain_paths_agree_with_jsonpath(document: Any, steps: list[Any], split: bool) -> None:
    path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).removeprefix(".")
    path += ".`split(., 0, 1)`" if split else ""
    wanted = [m.value for m in jsonpath(path).find(document) if m.value is not None]
    assert isinstance(parse(path), PlainField)
    assert found(path, document) == wanted
