"""Builders of messages as they come off the wire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline import yaml_source
from pipeline.captured import CapturedMessage, read_line
from pipeline.envelope import Envelope, open_envelope
from pipeline.event import Event, Rejected
from pipeline.normalise import Definitions, Normaliser, compiled
from pipeline.normalise.settings import SHIPPED_DEFINITIONS

DATA = Path(__file__).resolve().parent / "data"
CAPTURED = ("keystone-cadf", "keystone-basic", "glance", "oslo-drivers", "oslo-compressed")


def captured(name: str) -> list[CapturedMessage]:
    """The messages of a captured file of tests/data."""
    return [read_line(line) for line in (DATA / f"{name}.jsonl").read_bytes().splitlines()]


def a_notification(**changes: Any) -> dict[str, Any]:
    """A notification as oslo.messaging makes it; context keys are `_context_…`."""
    return {
        "message_id": "5ab1a2b0-9a52-4e0c-8d4b-0f6a2f6f9f5e",
        "publisher_id": "identity.keystone-1",
        "event_type": "identity.user.deleted",
        "priority": "INFO",
        "payload": {"resource_info": "u1"},
        "timestamp": "2026-11-21 21:07:45.253076",
        "_unique_id": "fb94c98be49c4c2396d5b4d565756bd9",
    } | changes


def v1(**changes: Any) -> bytes:
    """The body that the driver `messaging` sends."""
    return json.dumps(a_notification(**changes)).encode()


def v2(**changes: Any) -> bytes:
    """The body that the driver `messagingv2` sends."""
    return enveloped(json.dumps(a_notification(**changes)))


def enveloped(message: str) -> bytes:
    """A 2.0 envelope around any text."""
    return json.dumps({"oslo.version": "2.0", "oslo.message": message}).encode()


def opened(body: bytes, *args: Any, **kwargs: Any) -> Envelope:
    """The envelope of a body that is expected to be good."""
    envelope = open_envelope(body, *args, **kwargs)
    assert isinstance(envelope, Envelope), envelope
    return envelope


def reason(body: bytes, *args: Any, **kwargs: Any) -> str:
    """Why a body that is expected to be bad is rejected."""
    rejected = open_envelope(body, *args, **kwargs)
    assert isinstance(rejected, Rejected), rejected
    return rejected.reason


def definitions(text: str, **options: Any) -> Definitions:
    """The definitions that a YAML text holds."""
    return compiled(yaml_source.load(text, "event_definitions.yaml"), **options)


def shipped() -> Normaliser:
    """A normaliser with the definitions that Tocsin comes with."""
    return Normaliser(compiled(yaml_source.load_file(SHIPPED_DEFINITIONS)))


def event_of(body: bytes, normaliser: Normaliser, *args: Any) -> Event:
    """The event of a message that is expected to give one."""
    event = normaliser.normalise(opened(body, *args))
    assert isinstance(event, Event), event
    return event


def traits(text: str, /, **changes: Any) -> dict[str, Any]:
    """What these definitions of traits (YAML, a line each) take out of a notification."""
    lines = "\n".join(f"    {line}" for line in text.strip().splitlines())
    normaliser = Normaliser(definitions(f"- event_type: '*'\n  traits:\n{lines}\n"))
    names = {line.partition(":")[0] for line in text.strip().splitlines() if line[0] != " "}
    values = event_of(v2(**changes), normaliser).values
    return {name: value for name, value in values.items() if name in names}


def a_wire_event(message_id: str = "m-1", **changes: Any) -> dict[str, Any]:
    """An event in Ceilometer's wire form (events-in 23)."""
    return {
        "message_id": message_id,
        "event_type": "identity.user.deleted",
        "generated": "2026-11-21T21:07:45.253076",
        "traits": [["project_id", 1, "p-1"]],
        "raw": {},
    } | changes


def a_list_of_events(*events: Any, **changes: Any) -> bytes:
    """What Ceilometer's `notifier://` sends (events-in 29)."""
    fields = {"event_type": "event", "priority": "SAMPLE", "publisher_id": "telemetry.publisher.c"}
    return v2(**fields | {"payload": list(events)} | changes)
