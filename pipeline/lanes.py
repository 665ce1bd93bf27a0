"""Lanes: which claimed delivery goes next, so that no receiver takes all the threads (delivery 8).

Each receiver has a lane: how many attempts to it are in flight, and what is claimed and waits
until one of them ends. Pure book-keeping for `pipeline.notifier`, used from its loop alone; makes
no attempt itself.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from pipeline.dispatch import receiver
from pipeline.notification import Delivery


class Claimed(NamedTuple):
    """A delivery, and until when it may be begun: later its lease could end on the way."""

    delivery: Delivery
    begin_by: datetime


class Lanes:
    """`threads` attempts in all, `per_receiver` of them to one receiver."""

    def __init__(self, threads: int, per_receiver: int) -> None:
        self._threads, self._per_receiver = threads, per_receiver
        self._in_flight: Counter[str] = Counter()
        self._waiting: dict[str, deque[Claimed]] = {}

    @property
    def in_flight(self) -> int:
        """How many attempts have been begun and not ended."""
        return self._in_flight.total()

    @property
    def free(self) -> int:
        """How many more attempts may be begun."""
        return self._threads - self.in_flight

    @property
    def busy(self) -> set[str]:
        """The receivers for which nothing more should be claimed now."""
        full = {who for who, count in self._in_flight.items() if count >= self._per_receiver}
        return full | self._waiting.keys()

    def add(self, claimed: Iterable[Claimed]) -> None:
        """Put deliveries into their lanes, behind what waits there."""
        for one in claimed:
            self._waiting.setdefault(receiver(one.delivery.action), deque()).append(one)

    def begin(self) -> list[Claimed]:
        """What may be begun now, of each receiver in turn; it counts as in flight from here."""
        begun: list[Claimed] = []
        while ready := [who for who in self._waiting if self._has_room(who)]:
            for who in ready[: self.free]:
                lane = self._waiting.pop(who)
                begun.append(lane.popleft())
                self._in_flight[who] += 1
                if lane:
                    self._waiting[who] = lane  # behind the others, so that each has its turn
        return begun

    def end(self, delivery: Delivery) -> None:
        """An attempt has ended."""
        who = receiver(delivery.action)
        self._in_flight[who] -= 1
        if not self._in_flight[who]:
            del self._in_flight[who]

    def clear(self) -> list[Delivery]:
        """Take out all that waits."""
        waiting = [one.delivery for lane in self._waiting.values() for one in lane]
        self._waiting.clear()
        return waiting

    def _has_room(self, who: str) -> bool:
        return self.free > 0 and self._in_flight[who] < self._per_receiver
