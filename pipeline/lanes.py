"""Lanes: which claimed delivery goes next, so that no receiver takes all the threads (delivery 8).

Each receiver has a lane: how many attempts to it are in flight, and what is claimed and waits
until one of them ends. A lane that runs dry, and takes what it is told, is stocked with four times
as much the next time: so a fast receiver never waits for the store, and nothing is heaped up for
one that hangs. Pure book-keeping for `pipeline.crew`, and not safe to use from two threads at
once; makes no attempt itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pipeline.dispatch import receiver
from pipeline.notification import Delivery

_GROWTH, _LARGEST_STOCK = 4, 512
_MOST_WAITING = 5_000
_REMEMBERED = 1_000
_RESERVED_PART = 4


class Claimed(NamedTuple):
    """A delivery, and until when it may be begun: later its lease could end on the way."""

    delivery: Delivery
    begin_by: datetime


@dataclass(slots=True)
class _Lane:
    limit: int  # how many may be in flight
    waiting: deque[Claimed] = field(default_factory=deque)
    in_flight: int = 0
    queued: bool = False  # whether its turn will come
    went_well: bool | None = None  # the last attempt that ended
    stock: int = 0  # how much to have waiting after a claim
    ran_dry: bool = False  # since the last claim


class Lanes:
    """`threads` attempts in all, `per_receiver` of them to one receiver, which may be a number or
    say it of each.

    A receiver that has just failed gets one at a time, until it has taken something. And the last
    quarter of the threads is for receivers that have none, or whose last attempt went well: so a
    few that hang at once leave some for the others.
    """

    def __init__(self, threads: int, per_receiver: int | Callable[[str], int]) -> None:
        self._threads = threads
        self._limit: Callable[[str], int] = (
            per_receiver if callable(per_receiver) else lambda _: per_receiver
        )
        self._reserved = threads // _RESERVED_PART
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
    def more(self) -> bool:
        """Whether something can be begun now."""
        return bool(self._ready) and any(self._may_begin(self._lanes[who]) for who in self._ready)

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
            lane = self._lanes.get(who)
            if lane is None:
                lane = self._lanes[who] = _Lane(self._limit(who))
            elif not lane.waiting:
                lane.limit = self._limit(who)
            lane.waiting.append(one)
            self.waiting += 1
            self._queue(who, lane)

    def begin(self) -> Claimed | None:
        """The one that goes next, of each receiver in turn; it counts as in flight from here."""
        for _ in range(len(self._ready)):
            who = self._ready.popleft()
            lane = self._lanes[who]
            if not self._may_begin(lane):
                self._ready.append(who)
                continue
            lane.queued = False
            one = lane.waiting.popleft()
            lane.in_flight += 1
            self.in_flight += 1
            self.waiting -= 1
            self._queue(who, lane)  # behind the others, so that each has its turn
            return one
        return None

    def end(self, delivery: Delivery, well: bool = True) -> None:
        """An attempt has ended; `well`, where the receiver answered it."""
        who = receiver(delivery.action)
        lane = self._lanes[who]
        lane.in_flight -= 1
        self.in_flight -= 1
        lane.went_well = well
        self._queue(who, lane)
        if well and not lane.waiting and not lane.ran_dry:
            lane.ran_dry = True
            lane.stock = min(_GROWTH * max(lane.stock, lane.limit), _LARGEST_STOCK)

    def clear(self) -> list[Delivery]:
        """Take out all that waits."""
        return [delivery for who in list(self._lanes) for delivery in self.withdraw(who)]

    def withdraw(self, who: str) -> list[Delivery]:
        """Take out what waits for one receiver."""
        lane = self._lanes.get(who)
        if lane is None or not lane.waiting:
            return []
        waiting = [one.delivery for one in lane.waiting]
        lane.waiting.clear()
        self.waiting -= len(waiting)
        if lane.queued:
            lane.queued = False
            self._ready.remove(who)
        return waiting

    def _is_busy(self, lane: _Lane) -> bool:
        """Whether it is full, and half of its stock is left."""
        full = lane.in_flight >= self._most(lane) or bool(lane.waiting)
        return full and 2 * len(lane.waiting) >= lane.stock

    def _most(self, lane: _Lane) -> int:
        return 1 if lane.went_well is False else lane.limit

    def _may_begin(self, lane: _Lane) -> bool:
        """Whether there is a thread for it: the last ones are not for who may hold them long."""
        if self.free <= self._reserved and lane.in_flight and not lane.went_well:
            return False
        return self.free > 0

    def _queue(self, who: str, lane: _Lane) -> None:
        """Let its turn come, where it may have more in flight."""
        if lane.waiting and not lane.queued and lane.in_flight < self._most(lane):
            lane.queued = True
            self._ready.append(who)

    def _forget_idle(self) -> None:
        """Forget receivers for which nothing is to be done, once there are many of them."""
        if len(self._lanes) > _REMEMBERED:
            self._lanes = {
                who: lane for who, lane in self._lanes.items() if lane.waiting or lane.in_flight
            }
        for lane in self._lanes.values():
            lane.ran_dry = False
