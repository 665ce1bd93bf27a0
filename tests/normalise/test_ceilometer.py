"""Ceilometer's own definitions give the traits that Ceilometer itself gives.

Held against what the real Ceilometer 27 made of every captured message. The differences that are
allowed are those that the specification names:

- every event also has the trait `priority` (events-in 22);
- text is not cut at 255 characters (events-in 17);
- where Ceilometer raised, the message is rejected or converted (`CEILOMETER_RAISED`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import yaml_source
from pipeline.captured import read_line
from pipeline.envelope import open_envelope
from pipeline.event import Event, Rejected
from pipeline.normalise import Normaliser, compiled
from pipeline.normalise.settings import PRIORITIES

REJECTED, CONVERTED = Rejected, Event

CEILOMETER_RAISED = {
    # No event type: it becomes the empty one.
    ("oslo-drivers.jsonl", 36): CONVERTED,
    ("oslo-drivers.jsonl", 77): CONVERTED,
    # The envelope's own timestamp cannot be read.
    ("services-classic.jsonl", 9): REJECTED,
    ("services-classic.jsonl", 11): REJECTED,
    ("services-classic.jsonl", 13): REJECTED,
    ("services-classic.jsonl", 18): REJECTED,
    # A time in the payload cannot be read: the event does without that trait (events-in 24).
    ("services-classic.jsonl", 52): CONVERTED,
    # No priority.
    ("services-classic.jsonl", 85): CONVERTED,
    ("services-classic.jsonl", 86): CONVERTED,
}


@pytest.fixture(scope="module")
def normaliser(shared_data: Path) -> Normaliser:
    file = shared_data / "ceilometer" / "event_definitions.yaml"
    return Normaliser(compiled(yaml_source.load_file(file)))


@pytest.fixture(scope="module")
def expected(shared_data: Path) -> list[dict[str, Any]]:
    lines = (shared_data / "ceilometer" / "expected-events.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def results(
    shared_data: Path, expected: list[dict[str, Any]], normaliser: Normaliser
) -> dict[tuple[str, int], Event | Rejected | None]:
    """What Tocsin makes of every captured message, by file and line."""
    found: dict[tuple[str, int], Event | Rejected | None] = {}
    for name in sorted({each["file"] for each in expected}):
        lines = (shared_data / "notifications" / name).read_bytes().splitlines()
        for number, line in enumerate(lines, start=1):
            body, content_type, headers, _ = read_line(line)
            opened = open_envelope(body, content_type, headers)
            rejected = isinstance(opened, Rejected)
            found[name, number] = opened if rejected else normaliser.normalise(opened)
    return found


def test_every_captured_message_is_compared(
    expected: list[dict[str, Any]], results: dict[tuple[str, int], Any]
) -> None:
    assert len(expected) == 1795
    assert results.keys() == {(each["file"], each["line"]) for each in expected}


def test_traits_are_those_of_ceilometer(
    expected: list[dict[str, Any]], results: dict[tuple[str, int], Any]
) -> None:
    differences = [
        (each["file"], each["line"], wanted, found)
        for each in expected
        if each["error"] is None
        and (wanted := _comparable(each["event"]))
        != (found := _as_ceilometer(results[each["file"], each["line"]]))
    ]
    assert differences == []


def test_where_ceilometer_raised_tocsin_rejects_or_converts(
    expected: list[dict[str, Any]], results: dict[tuple[str, int], Any]
) -> None:
    raised = {(each["file"], each["line"]) for each in expected if each["error"]}
    assert {place: type(results[place]) for place in raised} == CEILOMETER_RAISED


def test_nothing_else_fails_to_convert(
    normaliser: Normaliser, results: dict[tuple[str, int], Any]
) -> None:
    assert results
    assert normaliser.unconvertible == {"eventTime": 1}


def test_every_event_has_its_priority(results: dict[tuple[str, int], Any]) -> None:
    """events-in 22"""
    events = [each for each in results.values() if isinstance(each, Event)]
    priorities = {each.values.get("priority") for each in events}
    assert priorities - {None} == set(PRIORITIES)
    assert sum("priority" not in each.values for each in events) == 2


def _as_ceilometer(event: Event) -> dict[str, Any]:
    wire = event.as_dict()
    traits = [
        [name, dtype, value[:255] if dtype == 1 else value]
        for name, dtype, value in wire["traits"]
        if name != "priority"
    ]
    return _comparable(wire | {"traits": traits})


def _comparable(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"traits": sorted(event["traits"])}
