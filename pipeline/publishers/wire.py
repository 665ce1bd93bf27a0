"""Events as the bytes that leave: JSON of Ceilometer's wire form (events-in 23).

Pure. Called by the publishers that write JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from pipeline.event import Event

MOST_BYTES = 1024 * 1024
"""How much goes into one message or request with many events in it: brokers refuse more than a
few megabytes, and one event that is too large should not take a thousand others with it."""


def event_json(event: Event) -> bytes:
    """One event as a JSON object."""
    return strict_json(event.as_dict())


def strict_json(value: Any) -> bytes:
    """The value in JSON that every parser takes: a number that JSON has not becomes null."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # An integer beyond 64 bits, or half of a surrogate pair: orjson refuses them.
        return json.dumps(_finite(value), default=str).encode("ascii")


def array(documents: Sequence[bytes]) -> bytes:
    """JSON documents as one JSON array."""
    return b"[" + b",".join(documents) + b"]"


def portions(documents: Sequence[bytes], most_bytes: int = MOST_BYTES) -> Iterator[slice]:
    """Cut a sequence into portions of at most so many bytes, and of at least one document."""
    start = size = 0
    for position, document in enumerate(documents):
        if position > start and size + len(document) > most_bytes:
            yield slice(start, position)
            start, size = position, 0
        size += len(document)
    if start < len(documents):
        yield slice(start, len(documents))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
