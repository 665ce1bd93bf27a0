"""CloudEvents 1.0: JSON with attributes inside, or data with the attributes in headers.

Source: the CloudEvents specification 1.0.2, its JSON format, and its HTTP, AMQP and Kafka
bindings. Called by `opening.py` only; raises `Unreadable`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

from pipeline.envelope.decoding import Unreadable, read_json, storable

STRUCTURED = "application/cloudevents"

_HTTP_PREFIX = "ce-"
_PREFIXES = (_HTTP_PREFIX, "cloudEvents:", "cloudEvents_", "ce_")
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REQUIRED = ("specversion", "id", "source", "type")


class CloudEvent(NamedTuple):
    """The context attributes, each a text (required ones present), and the data."""

    attributes: dict[str, Any]
    data: Any


def unique_id(event: CloudEvent) -> str:
    """What no other event has: the id if it is a UUID, else source and id together.

    The specification makes `source` and `id` unique only as a pair: the events "1" of two sources
    must not pass for one.
    """
    own, source = event.attributes["id"], event.attributes["source"]
    return str(own) if _UUID.fullmatch(own) else f"{source}#{own}"


# --- structured ------------------------------------------------------------------------------


def structured(outer: Mapping[str, Any]) -> CloudEvent:
    """A CloudEvent in JSON format."""
    attributes = {key: value for key, value in outer.items() if key not in ("data", "data_base64")}
    if "data_base64" in outer:
        return _checked(attributes, _binary_data(outer["data_base64"], attributes))
    return _checked(attributes, outer.get("data"))


def _binary_data(text: Any, attributes: Mapping[str, Any]) -> Any:
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise Unreadable(f"The CloudEvent's `data_base64` is not Base64: {error}.") from error
    return _data(data, attributes.get("datacontenttype"))


# --- binary ----------------------------------------------------------------------------------


def binary_attributes(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The context attributes in a transport's headers; empty if it carries no CloudEvent."""
    for prefix in _PREFIXES:
        if f"{prefix}specversion" in headers:
            return {
                key[len(prefix) :]: _attribute(value, prefix)
                for key, value in headers.items()
                if isinstance(key, str) and key.startswith(prefix)
            }
    return {}


def binary(attributes: dict[str, Any], body: bytes, content_type: str | None) -> CloudEvent:
    """A CloudEvent whose body is its data."""
    if content_type:
        attributes.setdefault("datacontenttype", content_type)
    return _checked(attributes, _data(body, content_type))


def _attribute(value: Any, prefix: str) -> Any:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, datetime):
        # AMQP has a timestamp type; its libraries give it in UTC, without a zone.
        return value.isoformat()
    if not isinstance(value, str):
        return value if isinstance(value, (bool, int)) else storable(str(value))
    return storable(unquote(value) if prefix == _HTTP_PREFIX else value)


# --- both ------------------------------------------------------------------------------------


def _data(body: bytes, content_type: Any) -> Any:
    media_type = str(content_type or "application/json").partition(";")[0].strip().lower()
    if media_type.endswith(("/json", "+json")):
        return read_json(body) if body.strip() else None
    try:
        return storable(body.decode())
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()


def _checked(attributes: dict[str, Any], data: Any) -> CloudEvent:
    for name in _REQUIRED:
        if not attributes.get(name) or not isinstance(attributes[name], str):
            raise Unreadable(f"The CloudEvent has no `{name}`, or one that is not a text.")
    if attributes["specversion"].partition(".")[0] != "1":
        version = attributes["specversion"]
        raise Unreadable(f"The CloudEvent has specversion {version!r:.40}; 1.0 is understood.")
    return CloudEvent(attributes, data)
