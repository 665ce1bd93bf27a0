"""`test://`: keeps the newest events in memory, for tests and for trying out routes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pipeline.event import Event
from pipeline.publishers.base import Tools
from pipeline.publishers.url_options import expect_bare

_KEPT = 10_000


class TestPublisher:
    """Remembers what it was given: `events` holds the newest, oldest first."""

    __test__ = False

    def __init__(self, url: str, tools: Tools) -> None:
        expect_bare(url)
        self.url = url
        self.events: deque[Event] = deque(maxlen=_KEPT)

    def publish(self, events: Sequence[Event]) -> None:
        """Remember the events."""
        self.events.extend(events)

    def close(self) -> None:
        """The events stay readable."""
