"""Text and JSON documents in the form that every database takes.

What comes from the wire may hold what a database or JSON does not: U+0000 (PostgreSQL), lone
surrogates (every UTF-8 encoder), NaN (JSON), nesting without end. Nothing of that may make an
insert fail, since the event would then block its queue. This is the one place that deals with
it; called by the column types and by whoever writes a document. Pure.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson

KEY_LENGTH = 255
_DEEPEST = 200
_LARGEST_INTEGER_BITS = 13_000
"""Python refuses to write integers of more than 4,300 digits; these have under 3,914."""
_LONG_NUMBER = re.compile(r"\d{19}")
"""What may be an integer of more than 64 bits, which orjson reads as a float."""


def storable_text(text: str) -> str:
    """The text with U+0000 and lone surrogates spelled out: `\\x00`, `\\udc80`."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def storable_key(text: str) -> str:
    """A text that fits into an index: a long one is its head and its SHA-256."""
    text = storable_text(text)
    if len(text) <= KEY_LENGTH:
        return text
    return f"{text[:128]}…sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def to_json(value: Any, *, keep_nan: bool = False, dumped: bool = False) -> str:
    """The value as JSON in ASCII. NaN and infinities become null, unless `keep_nan`.

    `dumped`: exactly as `json.dumps` would write it, with a blank after each comma and colon.

    Never fails for what can come from the wire: other types are written as text, what is nested
    deeper than 200 levels as "…".
    """
    if not keep_nan:
        try:
            fast = orjson.dumps(value)
        except (TypeError, ValueError):
            pass
        else:
            if fast.isascii() and not dumped:
                return fast.decode("ascii")
            with suppress(TypeError, ValueError):  # times; NaN
                return json.dumps(value, allow_nan=False)
    return json.dumps(_plain(value, keep_nan, _DEEPEST))


def from_json(text: str) -> Any:
    """What `to_json` wrote. Integers of any size come back as they were."""
    if not _LONG_NUMBER.search(text):
        with suppress(orjson.JSONDecodeError):  # NaN, lone surrogates, very deep nesting
            return orjson.loads(text)
    return json.loads(text)


def _plain(value: Any, keep_nan: bool, levels: int) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _LARGEST_INTEGER_BITS else None
    if isinstance(value, float):
        return value if keep_nan or math.isfinite(value) else None
    if levels == 0:
        return "…"
    if isinstance(value, Mapping):
        return {_name(k): _plain(v, keep_nan, levels - 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, keep_nan, levels - 1) for item in value]
    return _text(value)


def _name(key: Any) -> str:
    return key if isinstance(key, str) else _text(key)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
