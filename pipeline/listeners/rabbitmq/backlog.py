"""Batches that were decided and are not acknowledged yet, in the order of delivery.

One commit goes on at a time, in the committer's thread. What is decided meanwhile gathers here,
and batches that cause little are committed together: the longer the database takes, the more a
commit carries, up to the size of a batch. An acknowledgement covers all deliveries before it, so a
batch that causes nothing waits for those before it too. The broker's prefetch bounds what gathers.

For a message that came alone the listener's thread stays with its commit for a moment: the commit
then has the interpreter for itself, and its end need not wake who waits for the broker.

Made by the listener for each connection; only the listener's thread may call it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.listeners.committer import Committer
from pipeline.listeners.rabbitmq.consumer import TICK_SECONDS, Consumer

Decision = TypeVar("Decision")

_STAY_SECONDS = 0.05
"""Far below any heartbeat, and longer than most commits take."""


@dataclass(slots=True)
class _Decided(Generic[Decision]):
    """What one commit is to carry, and the last delivery that may be acknowledged after it."""

    decisions: list[Decision]
    last_tag: int


class Backlog(Generic[Decision]):
    """What stands between deciding on batches and acknowledging them.

    A commit carries the decisions of one batch, or of several up to `most` decisions.
    """

    def __init__(
        self, consumer: Consumer, committer: Committer[list[Decision]], most: int
    ) -> None:
        self._consumer, self._committer, self._most = consumer, committer, most
        self._commit: Future[None] | None = None
        self._waiting: deque[_Decided[Decision]] = deque()
        """Its first is what is being committed, if anything is."""

    def add(self, last_tag: int, decisions: list[Decision] | None, *, alone: bool = False) -> None:
        """Commit and acknowledge this batch when its turn comes, which may be at once; `alone`
        says that nothing else is at hand."""
        waiting = self._waiting
        open_to_more = len(waiting) > (self._commit is not None)
        if open_to_more and len(waiting[-1].decisions) + len(decisions or ()) <= self._most:
            waiting[-1].decisions += decisions or ()
            waiting[-1].last_tag = last_tag
        else:
            waiting.append(_Decided(decisions or [], last_tag))
        self.advance(alone=alone)

    def advance(self, *, alone: bool = False) -> None:
        """Acknowledge what is committed, begin the next commit. Raises what a commit raised."""
        while self._waiting and (self._commit is None or self._commit.done()):
            if self._commit is None and self._waiting[0].decisions:
                self._commit = self._committer.begin(self._waiting[0].decisions)
                if not (alone and _ends_soon(self._commit)):
                    self._commit.add_done_callback(self._consumer.wake)
            else:
                self._acknowledge()

    def finish(self) -> None:
        """Acknowledge the commit that goes on when it is made; the queues keep what has not begun.

        The connection is kept alive meanwhile. Raises what the commit raised.
        """
        if self._commit is not None:
            self._consumer.stay_alive_until(self._commit)
            self._acknowledge()

    def _acknowledge(self) -> None:
        commit, self._commit = self._commit, None
        if commit is not None:
            commit.result()
        self._consumer.acknowledge(self._waiting.popleft().last_tag)

    def abandon(self, beat: Callable[[], None]) -> None:
        """The connection is lost: await the commit that goes on, forget what has not begun.

        The next connection brings all of it again, and must not find a commit half done. Raises
        what the commit raised. `beat` is called now and then: to wait for a database is not to be
        stuck.
        """
        if self._commit is not None:
            while not wait([self._commit], TICK_SECONDS).done:
                beat()
            self._commit.result()


def _ends_soon(commit: Future[None]) -> bool:
    """Whether it has ended, however that is, after a moment's wait for it."""
    with suppress(TimeoutError):
        commit.exception(_STAY_SECONDS)
    return commit.done()
