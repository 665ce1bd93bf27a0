"""What a target is: where one kind of action (`https://…`, `log://`) is delivered.

A target never raises for what a receiver does: every answer, refusal, time-out and broken
connection is an outcome. Shared by all notifier threads, so it must be safe to call from many.

A new target is a class with this protocol, made by calling it with `Tools`, and an entry point in
the group `tocsin.targets` under each URL scheme that it serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.notification import Delivery, Outcome
from pipeline.targets.http import HttpSender


class Target(Protocol):
    """Delivers to the actions of one or more URL schemes."""

    def deliver(self, delivery: Delivery) -> Outcome:
        """Tell the receiver at `delivery.action`, within the target's time-outs."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a target may use. Shared by all targets: none closes them."""

    http: HttpSender
    log: Any
