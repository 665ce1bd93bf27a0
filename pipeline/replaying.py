"""Replaying: rejected events are taken in again, as everything is configured now.

A worker of its own decides on them, made when the first one comes, for a command as for a process
that serves the API; it matches against alarms that are kept true to the store. One at a time, as
people ask for it; a store that is away is told, not waited for. A part of the composition root.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from pipeline.errors import StoreUnavailable
from pipeline.listeners.base import Message, Stopped
from pipeline.normalise import Normaliser
from pipeline.routing import Routes
from pipeline.store.base import RejectedEvent
from pipeline.worker import Worker

_UNRECORDED = "it could not be recorded; the log says why"


class Replaying:
    """Takes in one after the other; from any thread.

    `make` gives the worker, and what makes its alarms and its planning true to the store again.
    `stamps` are of the files that `configuration` reads: they are read again when they changed.
    """

    def __init__(
        self,
        make: Callable[[], tuple[Worker, Callable[[], None]]],
        configuration: Callable[[], tuple[Normaliser, Routes]],
        stamps: Callable[[], object],
    ) -> None:
        self._make, self._configuration, self._stamps = make, configuration, stamps
        self._made: tuple[Worker, Callable[[], None]] | None = None
        self._known: object = None
        self._turn = threading.Lock()

    def take_in(self, rejected: RejectedEvent) -> str | None:
        """Take a rejected event in again; the reason, if it is rejected again.

        Raises `ConfigError` for files that cannot be used, and `StoreUnavailable`.
        """
        with self._turn:
            try:
                return self._taken_in(self._worker(), rejected)
            except Stopped as error:
                message = "the database is away; what was not taken in stays rejected"
                raise StoreUnavailable(message) from error

    def _worker(self) -> Worker:
        """The worker, as everything is now."""
        stamps = self._stamps()
        if self._made is None:
            self._made = self._make()
        elif stamps != self._known:
            self._made[0].configure(*self._configuration())
        self._known = stamps
        worker, refresh = self._made
        # So that it does not wait for a store that is away.
        worker.stop()
        refresh()
        return worker

    def _taken_in(self, worker: Worker, rejected: RejectedEvent) -> str | None:
        message = Message(
            rejected.body, rejected.content_type, rejected.headers or None, rejected.source
        )
        if reason := worker.understand(message):
            return reason
        rejected_before = worker.tally.rejected
        decisions = worker.decide([message])
        if decisions is not None:
            worker.commit(decisions)
        return _UNRECORDED if worker.tally.rejected > rejected_before else None
