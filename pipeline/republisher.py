"""Republisher: looks in the store for what publishers did not take, and wakes their lanes.

It runs in a thread of its own beside the listeners, and is what brings publications that another
process left behind (events-in 28), and those that nobody tried yet, of what the store tells of
alarms (alarms 25). The lanes (`pipeline.sinks`) do the publishing; several processes may look at
the same time, for a publication is claimed by one of them only.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from pipeline.errors import StoreUnavailable
from pipeline.observer import Pulse

_LOOK_SECONDS = 1.0


class Sinks(Protocol):
    """What the republisher needs of `pipeline.sinks.Sinks`."""

    def look(self) -> None:
        """Wake the lanes that have something to bring. Raises `StoreUnavailable`."""

    def close(self) -> None:
        """End them."""


class Republisher:
    """Looks now and then until it is stopped."""

    name = "republisher"

    def __init__(self, sinks: Sinks, *, log: Any, look_seconds: float = _LOOK_SECONDS) -> None:
        self._sinks, self._log, self._look_seconds = sinks, log, look_seconds
        self.pulse = Pulse()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look until `stop`, and end the lanes then. Waits for the store while it is away."""
        while not self._stopping.is_set():
            self.pulse.beat()
            try:
                self._sinks.look()
            except StoreUnavailable as error:
                self._log.warning("republisher.store_unavailable", error=str(error))
            self._stopping.wait(self._look_seconds)
        self._sinks.close()

    def stop(self) -> None:
        """Let the lanes finish what they have in hand, and return from `run`."""
        self._stopping.set()
