"""Lanes: which claimed delivery goes next, so that no receiver takes all the threads (delivery 8).

Each receiver has a lane: how many attempts to it are in flight, and what is claimed and waits
until one of them ends. A lane that runs dry is stocked with four times as much the next time: so
a fast receiver never waits for the store, and nothing is heaped up for one that hangs. Pure
book-keeping for `pipeline.crew`, and not safe to use from two threads at once; makes no attempt
itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pipeline.dispatch import receiver
from pipeline.notification import Delivery

_GROWTH, _LARGEST_STOCK = 4, 512
_MOST_WAITING = 5_000
_REMEMBERED = 1_000


class Claimed(NamedTuple):
    """A delivery, and until when it may be begun: later its lease could end on the way."""

    delivery: Delivery
    begin_by: datetime


@dataclass(slots=True)
class _Lane:
    waiting: deque[Claimed] = field(default_factory=deque)
    in_flight: int = 0
    stock: int = 0  # how much to have waiting after a claim
    ran_dry: bool = False  # since the last claim


class Lanes:
    """`threads` attempts in all, `per_receiver` of them to one receiver."""

    def __init__(self, threads: int, per_receiver: int) -> None:
        self._threads, self._per_receiver = threads, per_receiver
        self._lanes: dict[str, _Lane] = {}
        self._ready: deque[str] = deque()  # who may have something begun, in turn; each once
        self.in_flight = self.waiting = 0

    @property
    def free(self) -> int:
        """How many more attempts may be begun."""
        return self._threads - self.in_flight

    @property
    def ready(self) -> bool:
        """Whether something could be begun if there were a thread for it."""
        return bool(self._ready)

    @property
    def busy(self) -> set[str]:
        """The receivers for which nothing more should be claimed now."""
        return {who for who, lane in self._lanes.items() if self._is_busy(lane)}

    @property
    def wanted(self) -> int:
        """How many deliveries to claim, for receivers that are not busy."""
        lanes = self._lanes.values()
        ahead = sum(lane.stock - len(lane.waiting) for lane in lanes if not self._is_busy(lane))
        return max(self.free, min(ahead, _MOST_WAITING - self.waiting))

    def add(self, claimed: Iterable[Claimed]) -> None:
        """Put what was just claimed into its lanes, behind what waits there."""
        self._forget_idle()
        for one in claimed:
            who = receiver(one.delivery.action)
            lane = self._lanes.setdefault(who, _Lane())
            lane.waiting.append(one)
            self.waiting += 1
            if len(lane.waiting) == 1 and lane.in_flight < self._per_receiver:
                self._ready.append(who)

    def begin(self) -> Claimed | None:
        """The one that goes next, of each receiver in turn; it counts as in flight from here."""
        if not self._ready or not self.free:
            return None
        who = self._ready.popleft()
        lane = self._lanes[who]
        one = lane.waiting.popleft()
        lane.in_flight += 1
        self.in_flight += 1
        self.waiting -= 1
        if lane.waiting and lane.in_flight < self._per_receiver:
            self._ready.append(who)  # behind the others, so that each has its turn
        return one

    def end(self, delivery: Delivery) -> None:
        """An attempt has ended."""
        who = receiver(delivery.action)
        lane = self._lanes[who]
        if lane.waiting and lane.in_flight == self._per_receiver:
            self._ready.append(who)
        lane.in_flight -= 1
        self.in_flight -= 1
        if not lane.waiting and not lane.ran_dry:
            lane.ran_dry = True
            lane.stock = min(_GROWTH * max(lane.stock, self._per_receiver), _LARGEST_STOCK)

    def clear(self) -> list[Delivery]:
        """Take out all that waits."""
        waiting = [one.delivery for lane in self._lanes.values() for one in lane.waiting]
        for lane in self._lanes.values():
            lane.waiting.clear()
        self._ready.clear()
        self.waiting = 0
        return waiting

    def _is_busy(self, lane: _Lane) -> bool:
        """Whether it is full, and half of its stock is left."""
        full = lane.in_flight >= self._per_receiver or bool(lane.waiting)
        return full and 2 * len(lane.waiting) >= lane.stock

    def _forget_idle(self) -> None:
        """Forget receivers for which nothing is to be done, once there are many of them."""
        if len(self._lanes) > _REMEMBERED:
            self._lanes = {
                who: lane for who, lane in self._lanes.items() if lane.waiting or lane.in_flight
            }
        for lane in self._lanes.values():
            lane.ran_dry = False
