"""A message body → `Envelope` or `Rejected`: the one way in for every format.

    oslo 2.0     {"oslo.version": "2.0", "oslo.message": "<JSON>"}       events-in 1, 2
    oslo 1.0     the notification itself
    CloudEvents  structured or binary (`cloudevents.py`)                  events-in 10
    CADF         an audit event without any envelope                      events-in 10
    mail         message/rfc822 (`mail.py`)                               notifications 18

Called by the worker for every message, and by `tocsin normalise`. Never raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pipeline.envelope import cloudevents, mail
from pipeline.envelope.decoding import (
    Unreadable,
    is_delicate,
    read_json,
    read_json_exactly,
    read_json_roughly,
    storable,
    unpacked,
)
from pipeline.envelope.moments import moment
from pipeline.envelope.secrets import is_secret
from pipeline.event import Rejected

MESSAGE_ID_LIMIT = 512
"""Characters. Ids stand in unique indexes, and PostgreSQL's take no entry over 2.7 KB."""

_CONTEXT = "_context_"
_WITHOUT_CONTEXT = frozenset(
    {
        "message_id", "publisher_id", "event_type", "priority", "payload", "timestamp",
        "_unique_id",
    }
)  # fmt: skip
_UUID_HEX = re.compile("([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")
_NOT_A_MESSAGE = (
    "It is no oslo notification (`message_id`, `event_type`, `payload`), no CloudEvent"
    " (`specversion`, `id`, `source`, `type`) and no CADF event (`typeURI`, `id`, `action`,"
    " `eventTime`)."
)


class Envelope(NamedTuple):
    """One notification, opened.

    `document` is what field paths see: `{priority, event_type, publisher_id, payload, ctxt,
    metadata: {message_id, timestamp}}`, and `cloudevent` with the attributes of a CloudEvent. Its
    text is storable (no U+0000, no lone surrogates) and its `ctxt` holds no secrets. `priority`
    is in lower case, `''` for none; `publisher_id` is `''` for none; `generated` is aware UTC.
    """

    message_id: str
    event_type: str
    publisher_id: str
    priority: str
    generated: datetime
    document: dict[str, Any]


def open_envelope(
    body: bytes,
    content_type: str | None = None,
    headers: Mapping[str, Any] | None = None,
    *,
    received_at: datetime | None = None,
) -> Envelope | Rejected:
    """Open a message of any format. `headers` are the transport's, HTTP's in lower case.

    `received_at` stands in for the time of a CloudEvent that has none; without it such an event
    is rejected.
    """
    try:
        if headers and (attributes := cloudevents.binary_attributes(headers)):
            return _cloudevent(
                cloudevents.binary(attributes, unpacked(body), content_type), received_at
            )
        if body[:1] != b"{":
            if mail.is_mail(content_type):
                return _mail(body, received_at)
            body = unpacked(body)
        return _opened(body, content_type or "", received_at)
    except Unreadable as error:
        return Rejected(str(error))
    except RecursionError:
        return Rejected("The JSON is nested too deeply.")


def _opened(body: bytes, content_type: str, received_at: datetime | None) -> Envelope:
    outer = read_json_roughly(body)
    if not isinstance(outer, dict):
        raise Unreadable(f"The body is {_kind(outer)}, not a JSON object. {_NOT_A_MESSAGE}")
    if "oslo.message" in outer or "oslo.version" in outer:
        return _oslo_2(outer)
    if is_delicate(body):
        outer = read_json_exactly(body)
    if "message_id" in outer or "event_type" in outer:
        return _oslo_1(outer, b'"__type__"' in body)
    if "specversion" in outer or content_type.startswith(cloudevents.STRUCTURED):
        return _cloudevent(cloudevents.structured(outer), received_at)
    if _is_cadf(outer):
        return _cadf(outer)
    raise Unreadable(f"The format is not known. {_NOT_A_MESSAGE}")


# --- oslo.messaging --------------------------------------------------------------------------


def _oslo_2(outer: dict[str, Any]) -> Envelope:
    version = outer.get("oslo.version")
    if version != "2.0" and str(version).partition(".")[0] != "2":
        raise Unreadable(
            f"The envelope has oslo.version {version!r:.40}, but 2.x and 1.0 are understood."
        )
    text = outer.get("oslo.message")
    if not isinstance(text, str):
        raise Unreadable(f"`oslo.message` is {_kind(text)}, not a JSON text.")
    message = read_json(text.encode("utf-8", "replace"))
    if not isinstance(message, dict):
        raise Unreadable(f"`oslo.message` holds {_kind(message)}, not a notification object.")
    return _notification(message)


def _oslo_1(message: dict[str, Any], tagged: bool) -> Envelope:
    return _notification(untagged(message) if tagged else message)


def _notification(message: dict[str, Any]) -> Envelope:
    get = message.get
    # Most services send no context; to look for its keys would cost more than to know that.
    context = {} if _WITHOUT_CONTEXT.issuperset(message) else _context(message)
    return _envelope(
        get("message_id"),
        get("event_type"),
        get("publisher_id"),
        get("priority"),
        get("timestamp"),
        get("payload"),
        context,
    )


def _context(message: dict[str, Any]) -> dict[str, Any]:
    start = len(_CONTEXT)
    return {
        key[start:]: value
        for key, value in message.items()
        if key[:start] == _CONTEXT and not is_secret(key)
    }


def _envelope(
    message_id: Any,
    event_type: Any,
    publisher_id: Any,
    priority: Any,
    timestamp: Any,
    payload: Any,
    context: dict[str, Any],
) -> Envelope:
    if message_id.__class__ is not str or not 0 < len(message_id) <= MESSAGE_ID_LIMIT:
        message_id = _message_id(message_id)
    if event_type.__class__ is not str:
        event_type = _word(event_type, "event_type")
    if publisher_id.__class__ is not str and publisher_id is not None:
        publisher_id = _word(publisher_id, "publisher_id")
    level = priority.lower() if priority.__class__ is str else None
    document = {
        "priority": level,
        "event_type": event_type,
        "publisher_id": publisher_id,
        "payload": payload,
        "ctxt": context,
        "metadata": {"message_id": message_id, "timestamp": timestamp},
    }
    generated = _generated(timestamp, "timestamp")
    return Envelope(message_id, event_type, publisher_id or "", level or "", generated, document)


def _message_id(value: Any) -> str:
    if value is None or value == "":
        raise Unreadable("The notification has no `message_id`.")
    text = _word(value, "message_id")
    if len(text) > MESSAGE_ID_LIMIT:
        raise Unreadable(
            f"The `message_id` has {len(text)} characters; at most {MESSAGE_ID_LIMIT} are kept."
        )
    return text


def _word(value: Any, key: str) -> str:
    """A short text, from whatever a sender took for one; null is `''`."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise Unreadable(f"`{key}` is {_kind(value)}, not a text.")
    return str(value)


def _generated(value: Any, key: str) -> datetime:
    try:
        return moment(value)
    except ValueError as error:
        if value is None:
            raise Unreadable(f"The notification has no `{key}`.") from error
        raise Unreadable(f"`{key}` is not an ISO 8601 time: {value!r:.100}.") from error


# --- type tags of oslo 1.0 -------------------------------------------------------------------


def untagged(value: Any) -> Any:
    """The value with each `{"__type__", "__value__"}` as the plain value that 2.0 sends."""
    if isinstance(value, list):
        return [untagged(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"__type__", "__value__"}:
        return _untag(value["__type__"], value["__value__"])
    return {key: untagged(inner) for key, inner in value.items()}


def _untag(kind: Any, value: Any) -> Any:
    if kind == "uuid" and isinstance(value, dict):
        parts = _UUID_HEX.fullmatch(str(value.get("hex")))
        return "-".join(parts.groups()) if parts else value
    if kind == "datetime" and isinstance(value, str):
        # 2.0 drops the zone; another zone than UTC is kept, or the moment would be lost.
        return value.removesuffix("+00:00")
    return untagged(value)


# --- CADF without an envelope ----------------------------------------------------------------


def _is_cadf(outer: Mapping[str, Any]) -> bool:
    return "cloud/audit" in str(outer.get("typeURI")) or {"eventTime", "action"} <= outer.keys()


def _cadf(outer: dict[str, Any]) -> Envelope:
    action = outer.get("action")
    if not action or not isinstance(action, str):
        raise Unreadable("The CADF event has no `action`, from which its event type is made.")
    if outer.get("id") in (None, ""):
        raise Unreadable("The CADF event has no `id`.")
    observer = outer.get("observer")
    source = observer if isinstance(observer, dict) else {}
    publisher = source.get("name") or source.get("id") or source.get("typeURI")
    _generated(outer.get("eventTime"), "eventTime")
    return _envelope(
        outer["id"], f"cadf.{action}", publisher, None, outer.get("eventTime"), outer, {}
    )


# --- CloudEvents -----------------------------------------------------------------------------


def _cloudevent(event: cloudevents.CloudEvent, received_at: datetime | None) -> Envelope:
    attributes = event.attributes
    time = attributes.get("time")
    if time is None:
        if received_at is None:
            raise Unreadable("The CloudEvent has no `time`, and when it came is not known.")
        time = received_at.isoformat()
    envelope = _envelope(
        cloudevents.unique_id(event), attributes["type"], attributes["source"], None, time,
        event.data, {},
    )  # fmt: skip
    envelope.document["cloudevent"] = attributes
    return envelope


# --- mail ------------------------------------------------------------------------------------


def _mail(body: bytes, received_at: datetime | None) -> Envelope:
    if reason := mail.why_cut(body):
        raise Unreadable(reason)
    found = mail.mail_of(body)
    time = found.date or (received_at.isoformat() if received_at else None)
    if time is None:
        raise Unreadable("The mail has no `Date`, and when it came is not known.")
    message_id, sender, payload = storable([found.message_id, found.sender, found.payload])
    return _envelope(
        message_id[:MESSAGE_ID_LIMIT], mail.EVENT_TYPE, sender, found.priority, time, payload, {}
    )


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")
