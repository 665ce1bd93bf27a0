"""Events that were normalised elsewhere: a message of Ceilometer's `notifier://` → its events.

Such a message is an oslo notification of event type `event` and priority SAMPLE whose payload is
a list of events in their wire form (events-in 23, 29, 30). No definition is applied to them: their
traits are taken as they stand. What stands there was written by somebody else, so nothing of it is
believed: each event is an `Event` that every later part can bear, or is refused by itself, and the
others of its list go on.

Pure. Called by the worker for every such message, whatever it came by, and by `tocsin normalise`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.envelope import MESSAGE_ID_LIMIT, Envelope, masked, moment
from pipeline.event import Event, Rejected, TraitType, TraitValue
from pipeline.normalise.traits import CONVERSIONS
from pipeline.signature import SIGNATURE, is_signed

EVENT_TYPE, _PRIORITY = "event", "sample"
_TYPES = {int(dtype): dtype for dtype in TraitType}
_TYPE_NAMES = "1 (text), 2 (int), 3 (float) or 4 (datetime)"


class _Unfit(Exception):
    """What is wrong with an event. Never leaves this module."""


def is_list_of_events(envelope: Envelope) -> bool:
    """Whether the notification brings events that were normalised elsewhere."""
    return (
        envelope.event_type == EVENT_TYPE
        and envelope.priority == _PRIORITY
        and isinstance(envelope.document["payload"], list)
    )


def events_in(envelope: Envelope, secret: str = "") -> list[Event | Rejected]:
    """Each event of the list, in its order. A refused one is a message of its own (`body`).

    With a secret, an event that is not signed with it is refused.
    """
    found: list[Event | Rejected] = []
    for number, wire in enumerate(envelope.document["payload"], start=1):
        try:
            found.append(_event(wire, secret))
        except _Unfit as unfit:
            reason = f"Event {number} of the list cannot be used: {unfit}"
            found.append(Rejected(reason, _alone(envelope, wire)))
    return found


def event_of(wire: Any) -> Event | Rejected:
    """One event in its wire form, from whoever wrote it."""
    try:
        return _event(wire, "")
    except _Unfit as unfit:
        return Rejected(f"The event cannot be used: {unfit}")


def _event(wire: Any, secret: str) -> Event:
    if not isinstance(wire, dict):
        raise _Unfit(f"it is {_shown(wire)}, not an object.")
    if not is_signed(wire, secret):
        which = "is not the one that" if wire.get(SIGNATURE) else "is missing, which"
        raise _Unfit(f"its `{SIGNATURE}` {which} publishing.telemetry_secret makes.")
    values, types = _traits(wire.get("traits"))
    return Event(
        _text(wire, "message_id", MESSAGE_ID_LIMIT),
        _text(wire, "event_type"),
        _generated(wire.get("generated")),
        values,
        types,
        _raw(wire.get("raw")),
    )


def _text(wire: Mapping[str, Any], key: str, limit: int | None = None) -> str:
    text = wire.get(key)
    if not isinstance(text, str) or not text:
        raise _Unfit(f"its `{key}` is {_shown(text)}, not a text.")
    if limit and len(text) > limit:
        raise _Unfit(f"its `{key}` has {len(text)} characters; at most {limit} are kept.")
    return text


def _generated(value: Any) -> Any:
    try:
        return moment(value)
    except (TypeError, ValueError):
        raise _Unfit(f"its `generated` is {_shown(value)}, not an ISO 8601 time.") from None


def _traits(traits: Any) -> tuple[dict[str, TraitValue], dict[str, TraitType]]:
    if not isinstance(traits, list):
        raise _Unfit(f"its `traits` are {_shown(traits)}, not a list of [name, type, value].")
    values: dict[str, TraitValue] = {}
    types: dict[str, TraitType] = {}
    for trait in traits:
        if not isinstance(trait, list) or len(trait) != 3 or not isinstance(trait[0], str):
            raise _Unfit(f"the trait {_shown(trait)} is not [name, type, value].")
        name, number, value = trait
        dtype = _TYPES.get(number) if type(number) is int else None
        if dtype is None:
            raise _Unfit(f"trait {name!r} has the type {_shown(number)}, not {_TYPE_NAMES}.")
        if value is not None:
            values[name], types[name] = _value(name, dtype, value), dtype
    return values, types


def _value(name: str, dtype: TraitType, value: Any) -> TraitValue:
    """A value that is hashable and of the trait's type: matching relies on both."""
    if not isinstance(value, (str, int, float)):
        raise _Unfit(f"trait {name!r} holds {_shown(value)}, where a {_word(dtype)} is expected.")
    try:
        return CONVERSIONS[dtype](value)
    except (TypeError, ValueError, OverflowError):
        expected = f"which is no {_word(dtype)}"
        raise _Unfit(f"trait {name!r} holds {_shown(value)}, {expected}.") from None


def _raw(raw: Any) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise _Unfit(f"its `raw` is {_shown(raw)}, not an object.")
    try:
        kept: Mapping[str, Any] = masked(raw)
    except RecursionError:
        raise _Unfit("its `raw` is nested too deeply to be kept.") from None
    return kept


def _alone(envelope: Envelope, wire: Any) -> bytes | None:
    """The message with this event only, so that it can be looked at and taken in by itself.

    None for what is nested too deeply to be written again: the whole message is kept for it.
    """
    document = envelope.document
    message = {
        "message_id": envelope.message_id,
        "publisher_id": envelope.publisher_id,
        "event_type": EVENT_TYPE,
        "priority": _PRIORITY.upper(),
        "payload": [wire],
        "timestamp": document["metadata"]["timestamp"],
    }
    try:
        return json.dumps(message).encode()
    except RecursionError:
        return None


def _word(dtype: TraitType) -> str:
    return dtype.name.lower()


def _shown(value: Any) -> str:
    """A value for people, cut short."""
    names = {dict: "an object", list: "a list", type(None): "null"}
    return names.get(type(value)) or f"{value!r:.60}"
