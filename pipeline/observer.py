"""Observer: what the parts tell of their work while they do it; and the pulse of their loops.

The parts are handed an `Observer` and tell it of whole batches, never of single events: what they
say must cost next to nothing where nothing fires. This one listens to nothing;
`pipeline.metrics.Metrics` counts. Every method may be called from any thread and never raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.event import Event


class Observer:
    """Listens to nothing. The base of who does, and the default of every part."""

    def decided(
        self, source: str, size: int, events: Sequence[Event], decisions: Sequence[Any],
        now: datetime, seconds: float,
    ) -> None:  # fmt: skip
        """A batch of `size` messages from `source` was decided on, in so many seconds.

        `events` are those that the alarms were asked about, `decisions` what the batch causes
        (`pipeline.worker.Decided`).
        """

    def refused(self, source: str) -> None:
        """A message from `source` was not understood, and its sender told so: it is not kept."""

    def committed(self, fired: int, seconds: float) -> None:
        """What a batch causes was written down; so many alarms fired."""

    def published(self, url: str, events: int, taken: bool) -> None:
        """A publisher was handed so many events, and took them or did not."""

    def attempted(
        self, to: str, outcome: str, seconds: float, since_fired: float, *, dead: bool
    ) -> None:
        """One attempt to deliver to this receiver ended as delivered, refused or failed.

        `since_fired` is how long ago the alarm fired, in seconds; `dead` says that there will be
        no other attempt.
        """

    def template_failed(self, file: str) -> None:
        """A template could not be used, and another was used in its place."""

    def user_without_address(self, user: str) -> None:
        """A mail was to go to this user, of whom no address is known."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """The API answered a request; `route` is its pattern, `''` where it has none."""

    def combined_into_digest(self, to: str, deliveries: int) -> None:
        """So many deliveries to this receiver were combined into one digest."""


class Pulse:
    """When a loop last came round; who looks from outside sees whether it is stuck.

    `round_seconds` is how long the loop rests by its settings.
    """

    def __init__(self, round_seconds: float = 0.0) -> None:
        self._last, self._round_seconds = monotonic(), round_seconds

    def beat(self) -> None:
        """The loop has come round. Costs 0.1 µs."""
        self._last = monotonic()

    @property
    def silent_seconds(self) -> float:
        """For how long it has not, beyond its rest."""
        return max(monotonic() - self._last - self._round_seconds, 0.0)
