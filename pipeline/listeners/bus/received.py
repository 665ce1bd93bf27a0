"""What came off a bus → a `Message`, also where kombu did not make it.

kombu wraps each message in an envelope of its own: body, content type, headers, properties. A
sender that knows nothing of kombu pushes its bytes onto a Redis list or a Kafka topic as they
are; they are taken for the body. Pure. Called by the sources.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from pipeline.listeners.base import Message

AS_IT_WAS = "latin-1"
"""The `body_encoding` of what stood in a list as it is, and was given back in an envelope."""


def is_wrapped(payload: Any) -> bool:
    """Whether kombu made it."""
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("properties"), dict)
        and "delivery_tag" in payload["properties"]
        and "body" in payload
    )


def wrapped(payload: Any, delivery_tag: str) -> dict[str, Any]:
    """kombu's envelope around something that has none."""
    return {
        "body": json.dumps(payload),
        "content-type": None,
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {"delivery_tag": delivery_tag, "delivery_info": {}, "body_encoding": None},
    }


def read(raw: bytes, source: str) -> Message:
    """The message in what stood in a list of Redis."""
    try:
        payload = json.loads(raw)
        if is_wrapped(payload):
            encoding = payload["properties"].get("body_encoding")
            if encoding == AS_IT_WAS:
                return read(payload["body"].encode("latin-1"), source)
            return message(_decoded(payload["body"], encoding), payload, source)
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass  # Not kombu's, or broken: the bytes are the body, and the worker says what they are.
    return Message(raw, source=source)


def message(body: Any, payload: Mapping[str, Any], source: str) -> Message:
    """A message of this body, with what kombu's envelope says of it."""
    content_type, headers = payload.get("content-type"), payload.get("headers")
    return Message(
        as_bytes(body),
        content_type if isinstance(content_type, str) else None,
        headers if headers and isinstance(headers, dict) else None,
        source,
    )


def as_bytes(body: Any) -> bytes:
    """The body's bytes, whatever a transport gives: text, bytes, a view of them, nothing."""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    return bytes(body) if body is not None else b""


def _decoded(body: Any, encoding: Any) -> bytes:
    if encoding == "base64":
        try:
            return base64.b64decode(as_bytes(body), validate=True)
        except binascii.Error as error:
            raise ValueError("not Base64") from error
    return as_bytes(body)
