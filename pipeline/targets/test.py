"""Test: `test://` actions are kept in memory, for tests of alarms to look at."""

from __future__ import annotations

from collections import deque

from pipeline.notification import Delivered, Delivery, Outcome
from pipeline.targets.base import Tools

_KEPT = 1000


class TestTarget:
    """Keeps the last deliveries in `received`, oldest first."""

    __test__ = False  # pytest would take the class for a test

    def __init__(self, tools: Tools) -> None:
        self.received: deque[Delivery] = deque(maxlen=_KEPT)

    def deliver(self, delivery: Delivery) -> Outcome:
        """Keep it; this always succeeds."""
        self.received.append(delivery)
        return Delivered()

    def close(self) -> None:
        """Nothing to let go of."""
