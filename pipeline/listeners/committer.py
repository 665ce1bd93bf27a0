"""One thread that commits, so that the listener's own can keep its connection alive meanwhile.

A daemon thread: a commit that hangs on a dead database must not keep the process from ending.
Called by the listener.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

Decisions = TypeVar("Decisions")


class Committer(Generic[Decisions]):
    """Carries out one commit after another; started by its first one, ended by `close`."""

    def __init__(self, commit: Callable[[Decisions], None], name: str) -> None:
        self._commit = commit
        self._work: SimpleQueue[tuple[Decisions, Future[None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self, decisions: Decisions) -> Future[None]:
        """Start to commit. The future has the outcome: None, or what `commit` raised."""
        if self._thread.ident is None:
            self._thread.start()
        outcome: Future[None] = Future()
        self._work.put((decisions, outcome))
        return outcome

    def close(self) -> None:
        """Let the thread end."""
        self._work.put(None)

    def _run(self) -> None:
        while work := self._work.get():
            decisions, outcome = work
            try:
                self._commit(decisions)
            except BaseException as error:  # noqa: BLE001 - raised in the listener by `result`
                outcome.set_exception(error)
            else:
                outcome.set_result(None)
