"""Gauges: the loop that looks up what no part counts by itself.

How many alarms are in force, what waits in the queues and in the database, how long a part has
been silent: each look is a function that sets its metrics. A look that fails is logged once and
tried again; it never stops the others. A part of every process, wired by the composition root.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any, Protocol

from pipeline.errors import StoreUnavailable, TocsinError
from pipeline.metrics import Metrics
from pipeline.observer import Pulse
from pipeline.store.status import Backlog

Look = Callable[[], None]

_BREAKERS = {"open": 2, "half-open": 1}


class Gauges:
    """Looks from time to time until it is stopped. Looks are named for the log."""

    name = "gauges"

    def __init__(self, refresh_seconds: float, log: Any) -> None:
        self._refresh_seconds, self._log = refresh_seconds, log
        self._looks: dict[str, Look] = {}
        self._failing: set[str] = set()
        self._stopping = threading.Event()
        self.pulse = Pulse(refresh_seconds)

    def add(self, name: str, look: Look) -> None:
        """One look more, in each round."""
        self._looks[name] = look

    def run(self) -> None:
        """Look until `stop`."""
        while True:
            self.pulse.beat()
            self.refresh()
            if self._stopping.wait(self._refresh_seconds):
                return

    def stop(self) -> None:
        """Return from `run`."""
        self._stopping.set()

    def refresh(self) -> None:
        """Look once."""
        for name, look in self._looks.items():
            try:
                look()
            except TocsinError as error:
                if name not in self._failing:
                    self._log.warning("metrics.not_refreshed", of=name, error=str(error))
                self._failing.add(name)
            except Exception:  # noqa: BLE001 - a bug in here must not end what it looks at
                if name not in self._failing:
                    self._log.exception("metrics.broken", of=name)
                self._failing.add(name)
            else:
                self._failing.discard(name)


class BacklogSource(Protocol):
    """What is needed of the store (`pipeline.store.status.Status`)."""

    def backlog(self) -> Backlog:
        """What waits, at a bounded cost."""


class StoreLook:
    """A look at what waits in the store; and whether the store answers."""

    def __init__(
        self, store: BacklogSource, metrics: Metrics, clock: Callable[[], datetime],
        patience_seconds: float,
    ) -> None:  # fmt: skip
        self._store, self._metrics, self._clock = store, metrics, clock
        self._patience_seconds = patience_seconds
        self._problem = ""
        self._answered_at = monotonic()
        self._sinks: set[str] = set()
        self._spared: set[str] = set()

    def __call__(self) -> None:
        """Set the store's metrics. Raises `StoreUnavailable`."""
        try:
            backlog = self._store.backlog()
        except StoreUnavailable as error:
            self._problem = str(error)
            self._metrics.store_up.set(0)
            raise
        self._problem, self._answered_at = "", monotonic()
        self._metrics.store_up.set(1)
        self._tell(backlog)

    def problem(self) -> str:
        """Why the store cannot be used now, as far as is known; a `health.Condition`."""
        silent = monotonic() - self._answered_at
        if not self._problem and silent > self._patience_seconds:
            return f"has not answered for {silent:.0f} s"
        return self._problem

    def _tell(self, backlog: Backlog) -> None:
        metrics, due = self._metrics, backlog.oldest_due
        late = (self._clock() - due).total_seconds() if due else 0.0
        metrics.oldest_due.set(max(late, 0.0))
        metrics.deliveries.labels("pending").set(backlog.pending)
        metrics.deliveries.labels("dead").set(backlog.dead)
        metrics.rejected.set(backlog.rejected)
        metrics.disabled.set(backlog.disabled)
        self._tell_breakers(backlog)
        by_sink = dict.fromkeys(self._sinks, 0)
        for url, count in backlog.unpublished.items():
            sink = metrics.sink(url)
            by_sink[sink] = by_sink.get(sink, 0) + count
        self._sinks.update(by_sink)
        for sink, count in by_sink.items():
            metrics.unpublished.labels(sink).set(count)

    def _tell_breakers(self, backlog: Backlog) -> None:
        found = dict.fromkeys(self._spared, 0)
        found |= {each.receiver: _BREAKERS.get(each.state, 0) for each in backlog.spared}
        self._spared = {each.receiver for each in backlog.spared}
        for who, value in found.items():
            self._metrics.breaker_of(who).set(value)
