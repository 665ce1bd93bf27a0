"""Trait plugins give Ceilometer's results (events-in 19)."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from pipeline import registry
from pipeline.normalise import Normaliser

from messages import definitions, event_of, traits, v2


@pytest.mark.parametrize(
    ("parameters", "value", "trait"),
    [
        ("{}", "a.b.c", "a"),
        ("{segment: 2}", "a.b.c", "c"),
        ("{segment: -1}", "a.b.c", "c"),
        ("{segment: 3}", "a.b.c", None),
        ("{separator: '-', segment: 1}", "a-b-c", "b"),
        ("{segment: 1, max_split: 1}", "a.b.c", "b.c"),
        ("{segment: 0, max_split: 0}", "a.b.c", "a.b.c"),
        ("{segment: '1'}", "a.b.c", "b"),
        ("{segment: 1}", 1.5, "5"),
        ("{}", None, None),
    ],
)
def test_split(parameters: str, value: Any, trait: str | None) -> None:
    text = f"t: {{fields: payload.x, plugin: {{name: split, parameters: {parameters}}}}}"
    assert traits(text, payload={"x": value}) == ({} if trait is None else {"t": trait})


def test_a_plugin_may_be_named_without_parameters() -> None:
    assert traits("t: {fields: payload.x, plugin: split}", payload={"x": "a.b"}) == {"t": "a"}


def test_the_first_value_that_a_plugin_finds_counts() -> None:
    text = "t: {fields: [payload.x, payload.y], plugin: {name: split, parameters: {segment: 1}}}"
    assert traits(text, payload={"x": "a", "y": "b.c"}) == {"t": "c"}


@pytest.mark.parametrize(
    ("payload", "bits"),
    [
        ({}, 256),
        ({"flavor": "m1"}, 256 + 1),
        ({"flavor": "m2"}, 256),
        ({"image": "any"}, 256 + 2),
        ({"image": None}, 256),
        ({"flavor": "m1", "image": 0}, 256 + 3),
    ],
)
def test_bitfield(payload: dict[str, Any], bits: int) -> None:
    text = """
t:
  type: int
  fields: [payload.flavor, payload.image]
  plugin:
    name: bitfield
    parameters:
      initial_bitfield: 256
      flags:
        - {path: payload.flavor, bit: 0, value: m1}
        - {path: payload.image, bit: 1}
"""
    assert traits(text, payload=payload) == {"t": bits}


@pytest.mark.parametrize(
    ("payload", "seconds"),
    [
        ({"a": "2026-11-21T12:00:00Z", "b": "2026-11-21 12:01:30.5"}, 90.5),
        ({"a": "2026-11-21T12:01:30", "b": "2026-11-21T12:00:00"}, 90.0),
        ({"a": "2026-11-21T12:00:00+02:00", "b": "2026-11-21T12:00:00"}, 7200.0),
        ({"a": "2026-11-21T12:00:00"}, None),
        ({"a": "2026-11-21T12:00:00", "b": "soon"}, None),
        ({"a": "2026-11-21T12:00:00", "b": 7}, None),
        ({}, None),
    ],
)
def test_timedelta(payload: dict[str, Any], seconds: float | None) -> None:
    text = "t: {type: float, fields: [payload.a, payload.b], plugin: timedelta}"
    assert traits(text, payload=payload) == ({} if seconds is None else {"t": seconds})


@pytest.mark.parametrize(
    ("options", "value", "trait"),
    [
        ("", "active", "1"),
        ("", "ACTIVE", None),
        ("case_sensitive: false, ", "AcTiVe", "1"),
        ("case_sensitive: false, ", "DOWN", "2"),
        ("default: 9, ", "other", "9"),
        ("default: 9, ", ["a", "list"], "9"),
        ("default: 9, ", None, None),
        ("", 5, "five"),
    ],
)
def test_map(options: str, value: Any, trait: str | None) -> None:
    values = "values: {active: 1, Down: 2, 5: five}"
    text = f"t: {{fields: payload.x, plugin: {{name: map, parameters: {{{options}{values}}}}}}}"
    found = traits(text, payload={"x": value})
    if options == "" and value == "active":
        assert found == {"t": "1"}
    assert found == ({} if trait is None else {"t": trait})


def test_what_a_plugin_makes_is_storable() -> None:
    text = 't: {fields: payload.x, plugin: {name: map, parameters: {values: {a: "x\\0y"}}}}'
    assert traits(text, payload={"x": "a"}) == {"t": "x\ufffdy"}


class Count:
    """A plugin as others write them."""

    def __init__(self, start: int = 0) -> None:
        self.start = start

    def trait_values(self, matches: list[tuple[str, Any]]) -> list[Any] | None:
        if any(value == "crash" for _, value in matches):
            raise OSError("a plugin may do anything")
        return [None, self.start + len(matches)] if matches != [("payload.x", "none")] else None


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("count", f"{__name__}:Count", "tocsin.trait_plugins")
    known = registry._plugins("tocsin.trait_plugins")
    monkeypatch.setitem(known, "count", entry)


@pytest.mark.usefixtures("third_party")
def test_others_add_plugins_by_entry_point() -> None:
    text = """
- event_type: '*'
  traits:
    t:
      type: int
      fields: [payload.x, payload.y]
      plugin: {name: count, parameters: {start: 10}}
"""
    normaliser = Normaliser(definitions(text))
    counts = [
        event_of(v2(payload=payload), normaliser).values.get("t")
        for payload in ({}, {"x": 1}, {"x": 1, "y": 2}, {"x": "none"}, {"x": "crash"})
    ]
    assert counts == [10, 11, 12, None, None]
    assert normaliser.unconvertible == {"t": 1}
