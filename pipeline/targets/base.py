"""What a target is: where one kind of action (`https://…`, `log://`) is delivered.

A target never raises for what a receiver does: every answer, refusal, time-out and broken
connection is an outcome. Shared by all notifier threads, so it must be safe to call from many.
"""

from __future__ import annotations

from typing import Protocol

from pipeline.notification import Delivery, Outcome


class Target(Protocol):
    """Delivers to the actions of one or more URL schemes."""

    def deliver(self, delivery: Delivery) -> Outcome:
        """Tell the receiver at `delivery.action`, within the target's time-outs."""

    def close(self) -> None:
        """Let go of connections."""
