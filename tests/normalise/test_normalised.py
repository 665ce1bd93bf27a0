"""Events that were normalised elsewhere come in as they stand, and each bad one goes out alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import yaml_source
from pipeline.envelope import Envelope, open_envelope
from pipeline.event import Event, Rejected
from pipeline.normalise import Normaliser, NormaliseSettings, compiled, normalised_lines
from pipeline.signature import signed

from any_message import JSON
from messages import a_list_of_events, a_wire_event


@pytest.fixture(scope="module")
def normaliser() -> Normaliser:
    return Normaliser(compiled(yaml_source.load_file(NormaliseSettings().file)))


def opened(*events: Any, **fields: Any) -> Envelope:
    envelope = open_envelope(a_list_of_events(*events, **fields))
    assert isinstance(envelope, Envelope)
    return envelope


def test_every_event_of_the_list_comes_in(normaliser: Normaliser) -> None:
    """events-in 30"""
    first, second = normaliser.events(
        opened(a_wire_event("m-1"), a_wire_event("m-2", traits=[["n", 2, 5], ["f", 3, 1]]))
    )
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert first.as_dict() == a_wire_event("m-1")
    assert second.values == {"n": 5, "f": 1.0}
    assert type(second.values["f"]) is float


def test_times_are_read(normaliser: Normaliser) -> None:
    traits = [["at", 4, "2026-01-02T03:04:05.000006"]]
    (event,) = normaliser.events(opened(a_wire_event(traits=traits)))
    assert isinstance(event, Event)
    assert event.values["at"] == datetime(2026, 1, 2, 3, 4, 5, 6, UTC)


def test_another_list_is_a_notification_like_any_other(normaliser: Normaliser) -> None:
    (event,) = normaliser.events(opened(a_wire_event(), priority="INFO"))
    assert isinstance(event, Event)
    assert event.event_type == "event"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (5, "it is 5, not an object"),
        (a_wire_event(""), "`message_id` is '', not a text"),
        (a_wire_event() | {"message_id": ["m"]}, "`message_id` is a list, not a text"),
        (a_wire_event("m" * 600), "600 characters; at most 512"),
        (a_wire_event(event_type=None), "`event_type` is null"),
        (a_wire_event(generated="soon"), "`generated` is 'soon', not an ISO 8601 time"),
        (a_wire_event(traits={"a": 1}), "`traits` are an object"),
        (a_wire_event(traits=[["a", 1]]), "is not [name, type, value]"),
        (a_wire_event(traits=[["a", 9, 1]]), "the type 9, not 1 (text)"),
        (a_wire_event(traits=[["a", True, 1]]), "the type True"),
        (a_wire_event(traits=[["a", 1, ["x"]]]), "holds a list, where a text is expected"),
        (a_wire_event(traits=[["a", 2, "x"]]), "holds 'x', which is no int"),
        (a_wire_event(traits=[["a", 4, "x"]]), "holds 'x', which is no datetime"),
        (a_wire_event(raw=[1]), "`raw` is a list"),
    ],
)
def test_bad_event_is_rejected_and_the_others_go_on(
    normaliser: Normaliser, wrong: Any, said: str
) -> None:
    """events-in 30; each with its own reason and a body of its own, that is rejected again"""
    first, refused, last = normaliser.events(opened(a_wire_event(), wrong, a_wire_event()))
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(refused, Rejected)
    assert refused.reason.startswith("Event 2 of the list cannot be used: ")
    assert said in refused.reason
    assert refused.body is not None
    alone = open_envelope(refused.body)
    assert isinstance(alone, Envelope)
    assert alone.document["payload"] == [wrong]
    (again,) = normaliser.events(alone)
    assert isinstance(again, Rejected)


def test_with_a_secret_only_signed_events_are_taken() -> None:
    """events-in 29, 30"""
    definitions = compiled(yaml_source.load_file(NormaliseSettings().file))
    normaliser = Normaliser(definitions, telemetry_secret="s3cret")
    good, forged, bare = normaliser.events(
        opened(
            signed(a_wire_event(raw={"a": {"b": [1, "é"]}}), "s3cret"),
            signed(a_wire_event(), "s3cret") | {"event_type": "another"},
            a_wire_event(),
        )
    )
    assert isinstance(good, Event)
    assert isinstance(forged, Rejected)
    assert "is not the one that publishing.telemetry_secret makes" in forged.reason
    assert isinstance(bare, Rejected)
    assert "`message_signature` is missing" in bare.reason


def test_secrets_in_raw_are_masked(normaliser: Normaliser) -> None:
    raw = {"payload": {"password": "hunter2"}}
    (event,) = normaliser.events(opened(a_wire_event(raw=raw)))
    assert isinstance(event, Event)
    assert event.raw == {"payload": {"password": "***"}}


def test_every_event_of_a_captured_list_is_printed(normaliser: Normaliser) -> None:
    line = a_list_of_events(a_wire_event("m-1"), 5, a_wire_event("m-2"))
    results = [result for _, result in normalised_lines([line], normaliser)]
    assert [type(result) for result in results] == [Event, Rejected, Event]


@given(st.lists(JSON, max_size=4), JSON)
def test_whatever_the_list_holds_is_an_event_or_rejected(
    normaliser: Normaliser, events: list[Any], value: Any
) -> None:
    wild = a_wire_event(traits=[["t", 1, value], ["u", 2, value]])
    for result in normaliser.events(opened(*events, wild)):
        if isinstance(result, Event):
            hash(tuple(result.values.values()))
            json.dumps(result.as_dict())
