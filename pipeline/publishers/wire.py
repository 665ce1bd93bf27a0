"""Events as the bytes that leave: JSON of Ceilometer's wire form (events-in 23).

Pure. Called by the publishers that write JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.event import Event
from pipeline.strict_json import strict_json

MOST_BYTES = 1024 * 1024
"""How much goes into one message or request with many events in it: brokers refuse more than a
few megabytes, and one event that is too large should not take a thousand others with it."""


def event_json(event: Event) -> bytes:
    """One event as a JSON object."""
    return strict_json(event.as_dict())


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
