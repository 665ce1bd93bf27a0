"""Test: `test://` actions are kept in memory, for tests of alarms to look at."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from pipeline.notification import Delivered, Delivery, Outcome
from pipeline.targets.base import Tools
from pipeline.targets.options import TargetSchema

_KEPT = 1000


class TestTarget:
    """Keeps the last deliveries in `received`, oldest first."""

    __test__ = False  # pytest would take the class for a test

    schema = TargetSchema
    heeds_guard = True

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self.received: deque[Delivery] = deque(maxlen=_KEPT)

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The URL says nothing more."""
        return {}

    def deliver(self, delivery: Delivery) -> Outcome:
        """Keep it; this always succeeds."""
        self.received.append(delivery)
        return Delivered()

    def close(self) -> None:
        """Nothing to let go of."""
