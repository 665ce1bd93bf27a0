"""A line of captured messages → what a listener would have received.

A capture is JSON Lines. A line is a bare message body, or the whole delivery as a consumer wrote
it down: `{"exchange", "routing_key", "properties": {"content_type", "headers"}, "body"}`, with
`body_base64` in place of `body` where the bytes are not text. Read by `pipeline.listeners.replay`
and by `tocsin normalise`. It never judges a body: a bare line is handed on as it is, for
`pipeline.envelope` to open or reject.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.errors import InvalidValue

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class CapturedMessage(NamedTuple):
    """One message as it came off its transport; `origin` is for people, `''` when unknown."""

    body: bytes
    content_type: str | None = None
    headers: Mapping[str, Any] | None = None
    origin: str = ""


def read_line(line: bytes) -> CapturedMessage:
    """The message that a line holds. Raises `InvalidValue` for a capture that is broken.

    `origin` names exchange and routing key: `keystone notifications.info`.
    """
    text = line.removeprefix(_BYTE_ORDER_MARK).strip()
    if b'"body' not in text:
        return CapturedMessage(text)
    try:
        captured = json.loads(text)
    except (ValueError, RecursionError):
        return CapturedMessage(text)
    if not isinstance(captured, dict) or not {"body", "body_base64"} & captured.keys():
        return CapturedMessage(text)
    return _delivery(captured)


def _delivery(captured: Mapping[str, Any]) -> CapturedMessage:
    properties = captured.get("properties") or {}
    if not isinstance(properties, dict):
        raise InvalidValue("`properties` is not an object of AMQP properties.", "properties")
    headers = properties.get("headers") or {}
    if not isinstance(headers, dict):
        raise InvalidValue("`properties.headers` is not an object.", "properties.headers")
    content_type = properties.get("content_type")
    names = (captured.get("exchange"), captured.get("routing_key"))
    return CapturedMessage(
        _body(captured),
        content_type if isinstance(content_type, str) else None,
        headers,
        " ".join(name for name in names if isinstance(name, str) and name),
    )


def _body(captured: Mapping[str, Any]) -> bytes:
    if "body" in captured:
        if not isinstance(captured["body"], str):
            raise InvalidValue("`body` is not a string: give the message's text as one.", "body")
        return captured["body"].encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(captured["body_base64"], validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise InvalidValue(f"`body_base64` is not Base64: {error}.", "body_base64") from error
