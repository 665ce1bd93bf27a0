"""Whatever comes is an event, rejected or dropped: never an exception, never unstorable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.envelope import Envelope, open_envelope
from pipeline.event import Event, Rejected
from pipeline.normalise import Normaliser

from any_message import JSON, MESSAGES, MUTATED, TEXTS
from messages import CAPTURED, a_notification, captured, definitions, enveloped, shipped

SHIPPED = shipped()
EVERYTHING = Normaliser(
    definitions(r"""
- event_type: '*'
  traits:
    whole: payload
    all: $..*
    int: {fields: [payload.a, payload.b], type: int}
    float: {fields: payload.a, type: float}
    datetime: {fields: [payload.b, payload.a], type: datetime}
    item: payload.a[0]
    sum: payload.a + 5
    product: payload.a * payload.b
    sub: payload.a.`sub(/a/, b)`
    sorted: payload.`sorted`
    len: payload.`len`
    found: payload.a[?b=1].c
    split: {fields: payload.a, plugin: split}
    bits: {fields: [payload.a], plugin: {name: bitfield, parameters: {flags: [{path: x, bit: 1}]}}}
    delta: {fields: [payload.a, payload.b], plugin: timedelta, type: int}
    map: {fields: payload.a, plugin: {name: map, parameters: {values: {1: 2}, default: 3}}}
"""),
    store_raw=["info", "error", ""],
)


def check(body: bytes, content_type: str | None = None, headers: Any = None) -> Any:
    """Open and normalise; what is accepted must survive being stored."""
    opened = open_envelope(body, content_type, headers)
    if isinstance(opened, Rejected):
        assert opened.reason
        return opened
    assert isinstance(opened, Envelope)
    for normaliser in (SHIPPED, EVERYTHING):
        event = normaliser.normalise(opened)
        if isinstance(event, Event):
            assert Event.from_dict(json.loads(stored(event))) == event
    return opened


def stored(event: Event) -> str:
    for text in (event.message_id, event.event_type, *event.values.values(), *event.values):
        if isinstance(text, str):
            assert "\0" not in text
            text.encode()
    return json.dumps(event.as_dict(), allow_nan=False)


@given(JSON)
@example([])
@example({"message_id": "1"})
def test_any_json_value_as_a_body(value: Any) -> None:
    check(json.dumps(value).encode())
    check(enveloped(json.dumps(value)))


@given(st.binary())
@example(b"\x1f\x8b")
@example(b"x\x9c")
@example(b"BZh9")
@example(b"\xfd7zXZ\0")
def test_any_bytes_as_a_body(body: bytes) -> None:
    check(body)
    check(b"{" + body)


@given(JSON)
def test_any_payload_is_accepted(payload: Any) -> None:
    """events-in 8"""
    for body in (
        json.dumps(a_notification(payload=payload)).encode(),
        enveloped(json.dumps(a_notification(payload=payload))),
    ):
        assert isinstance(check(body), Envelope)


@given(MESSAGES)
def test_any_notification(message: dict[str, Any]) -> None:
    check(json.dumps(message).encode())
    check(enveloped(json.dumps(message)))


@given(JSON, st.dictionaries(st.sampled_from(["id", "source", "type", "time", "x"]), JSON | TEXTS))
def test_any_binary_cloudevent(data: Any, attributes: dict[str, Any]) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"} | {
        f"ce-{key}": value for key, value in attributes.items()
    }
    check(json.dumps(data).encode(), "application/json", headers)


@given(st.integers(1, 3000), st.sampled_from("[{"))
def test_any_depth(depth: int, bracket: str) -> None:
    nest = "[" * depth + "]" * depth if bracket == "[" else '{"a":' * depth + "1" + "}" * depth
    body = json.dumps(a_notification(payload="?")).replace('"?"', nest)
    check(body.encode())
    check(enveloped(body))


@given(MUTATED)
def test_mutated_real_messages(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize("name", CAPTURED)
def test_every_captured_message_is_accepted_and_survives_being_stored(name: str) -> None:
    for message in captured(name):
        assert isinstance(check(message.body, message.content_type, message.headers), Envelope)
