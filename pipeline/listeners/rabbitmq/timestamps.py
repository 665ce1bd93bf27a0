"""AMQP timestamps that no calendar has: passed on as the number that they are.

A header may be a timestamp, in seconds. Senders that give milliseconds name a day some 50,000
years off, for which pika has no datetime: it takes the connection down. The broker then sends the
message again, on the next connection and on every one after that, and its queue is blocked for
ever. pika lets nobody come between, so the one function of it that reads a header's value is
replaced; what it can read it reads as before. Called when a listener is made.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from pika import data

_TIMESTAMP, _LENGTH = b"T", 9

_decode_value: Callable[[bytes, int], tuple[Any, int]] = data.decode_value


def accept_every_timestamp() -> None:
    """Make pika survive every timestamp that a message can hold. May be called again."""
    data.decode_value = decode_value


def decode_value(encoded: bytes, offset: int) -> tuple[Any, int]:
    """The value that begins at `offset`, and where it ends; as pika's function of this name."""
    try:
        return _decode_value(encoded, offset)
    except (ValueError, OverflowError, OSError):
        if encoded[offset : offset + 1] != _TIMESTAMP:
            raise
    (seconds,) = struct.unpack_from(">Q", encoded, offset + 1)
    return seconds, offset + _LENGTH
