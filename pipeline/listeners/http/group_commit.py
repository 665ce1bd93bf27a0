"""GroupCommit: what many callers hand in at once becomes one batch and one transaction.

A thread of its own runs it; every caller waits on the future that it got. A caller's messages
stay together: all of them are committed, or none. It never answers a caller itself. Used by
`pipeline.listeners.http`, whose request threads are the callers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple

from pipeline.listeners.base import Decisions, Message, Stopped, Worker


class _Submission(NamedTuple):
    messages: Sequence[Message]
    committed: Future[None]


class GroupCommit(Generic[Decisions]):
    """Gathers what was submitted while the last batch was committed into the next batch.

    `most` bounds the messages of a batch, unless one caller alone brings more.
    """

    def __init__(
        self,
        worker: Worker[Decisions],
        most: int,
        log: Any,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._worker, self._most, self._log, self._monotonic = worker, most, log, monotonic
        self._waiting: SimpleQueue[_Submission | None] = SimpleQueue()
        self._since: float | None = None

    @property
    def busy_seconds(self) -> float:
        """For how long the commit in hand has been going on; 0 between commits."""
        since = self._since
        return 0.0 if since is None else self._monotonic() - since

    def submit(self, messages: Sequence[Message]) -> Future[None]:
        """A future that is done when the messages are committed.

        It raises `Stopped` when they were not because of a stop. Cancelling it takes back what
        is not in hand yet.
        """
        submission = _Submission(messages, Future())
        self._waiting.put(submission)
        return submission.committed

    def close(self) -> None:
        """Let `run` end when all that was submitted up to now is settled. Any thread may call."""
        self._waiting.put(None)

    def run(self) -> None:
        """Commit batch after batch, until `close`."""
        closed = False
        while not closed:
            first = self._waiting.get()
            batch = [first] if first else []
            closed = first is None or self._gather(batch)
            self._settle([s for s in batch if s.committed.set_running_or_notify_cancel()])

    def _gather(self, batch: list[_Submission]) -> bool:
        """Add what else is waiting. Whether the end was among it."""
        size = len(batch[0].messages)
        while size < self._most:
            try:
                submission = self._waiting.get_nowait()
            except Empty:
                return False
            if submission is None:
                return True
            batch.append(submission)
            size += len(submission.messages)
        return False

    def _settle(self, batch: Sequence[_Submission]) -> None:
        if not batch:
            return
        try:
            self._commit([message for s in batch for message in s.messages])
        except Stopped as stopped:
            _fail(batch, stopped)
        except BaseException as error:  # noqa: BLE001 - a bug must fail its caller, not end the thread
            self._log.exception("http.commit_failed", submissions=len(batch))
            if len(batch) == 1:
                _fail(batch, error)
            else:  # Only the one that is at fault shall fail.
                for submission in batch:
                    self._settle([submission])
        else:
            for submission in batch:
                submission.committed.set_result(None)

    def _commit(self, messages: Sequence[Message]) -> None:
        self._since = self._monotonic()
        try:
            decisions = self._worker.decide(messages)
            if decisions is not None:
                self._worker.commit(decisions)
        finally:
            self._since = None


def _fail(batch: Sequence[_Submission], error: BaseException) -> None:
    for submission in batch:
        submission.committed.set_exception(error)
