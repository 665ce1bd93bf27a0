"""Crew: the threads that make attempts, each taking the next delivery by itself.

What is claimed is put in with `add`; what has ended comes out with `hear`. In between nobody has
to tell a thread what to do: it ends one attempt and begins the next in one step, while the
notifier's own thread is busy with the store. Used by `pipeline.notifier` alone, from its thread
where nothing else is said; decides nothing itself: who goes next is up to `pipeline.lanes`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NamedTuple

from pipeline.lanes import Claimed, Lanes
from pipeline.notification import Attempt, Delivery, Failed


class Ended(NamedTuple):
    """What came of a delivery; no attempt was made if it was too late to begin one."""

    delivery: Delivery
    attempt: Attempt | None


class Crew:
    """`threads` threads that call `attempt`, no more than `per_receiver` at once for one receiver
    (`pipeline.lanes`).

    They work within a `with` block. Daemons: one that hangs does not keep the process.
    """

    def __init__(
        self,
        threads: int,
        per_receiver: int | Callable[[str], int],
        attempt: Callable[[Delivery], Attempt],
        clock: Callable[[], datetime],
    ) -> None:
        self._count, self._attempt, self._clock = threads, attempt, clock
        self._lanes = Lanes(threads, per_receiver)
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._out_of_work = threading.Event()
        # Safe to put into from any thread and from a signal handler.
        self._news: SimpleQueue[Ended | None] = SimpleQueue()
        self._going_home = False
        self.in_hand = 0

    def __enter__(self) -> Crew:
        self._going_home = False
        for number in range(self._count):
            name = f"notifier-{number}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._going_home = True
            self._more.notify_all()

    @property
    def busy(self) -> set[str]:
        """The receivers for which nothing more should be claimed now."""
        with self._lock:
            return self._lanes.busy

    @property
    def wanted(self) -> int:
        """How many deliveries to claim, for receivers that are not busy."""
        with self._lock:
            return self._lanes.wanted

    def add(self, claimed: Iterable[Claimed]) -> None:
        """Have these delivered, each when its turn comes."""
        with self._lock:
            before = self._lanes.waiting
            self._lanes.add(claimed)
            added = self._lanes.waiting - before
            self._more.notify(added)
        self.in_hand += added

    def hear(self, wait_seconds: float | None) -> list[Ended | None]:
        """What has ended, and None for each call of `wake`; waits so long for the first news."""
        heard: list[Ended | None] = []
        wait = None if wait_seconds is None else max(wait_seconds, 0)
        try:
            heard.append(self._news.get(timeout=wait))
            while True:
                heard.append(self._news.get_nowait())
        except Empty:
            self.in_hand -= len(heard) - heard.count(None)
            return heard

    def rest(self, seconds: float) -> None:
        """Leave the crew to itself for so long, or until a thread has nothing more to do."""
        with self._lock:
            if not self._lanes.ready:
                return
            self._out_of_work.clear()
        self._out_of_work.wait(seconds)

    def wake(self) -> None:
        """Let `hear` return. From any thread."""
        self._news.put(None)

    def clear(self) -> list[Delivery]:
        """Take back what waits."""
        with self._lock:
            waiting = self._lanes.clear()
        self.in_hand -= len(waiting)
        return waiting

    def withdraw(self, receiver: str) -> list[Delivery]:
        """Take back what waits for one receiver."""
        with self._lock:
            waiting = self._lanes.withdraw(receiver)
        self.in_hand -= len(waiting)
        return waiting

    def _work(self) -> None:
        ended: Ended | None = None
        while claimed := self._next(ended):
            delivery, begin_by = claimed
            late = self._clock() > begin_by
            ended = Ended(delivery, None if late else self._attempt(delivery))

    def _next(self, ended: Ended | None) -> Claimed | None:
        """Hand in what has ended, and wait for what to do next; None to go home."""
        with self._lock:
            if ended:
                self._lanes.end(ended.delivery, _went_well(ended.attempt))
                self._news.put(ended)
            while not (claimed := self._lanes.begin()):
                self._out_of_work.set()
                if self._going_home:
                    return None
                self._more.wait()
            if self._lanes.more:  # an attempt that went well makes way for several
                self._more.notify()
            return claimed


def _went_well(attempt: Attempt | None) -> bool:
    return attempt is None or not isinstance(attempt.outcome, Failed)
