"""ArrivalWatch: wakes a notifier as soon as any process has written deliveries for it.

It waits on a connection of its own. When that is lost it connects again, with growing pauses, and
wakes the notifier once for whatever was written meanwhile. The notifier looks by itself every
`delivery.poll_seconds` too, so that nothing hangs on this. Claims nothing and reads no delivery.

Run by the processes that notify, in a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pipeline.errors import StoreUnavailable
from pipeline.store.base import ArrivalSource

_WAIT_SECONDS = 0.2
"""The longest that a wish to stop has to wait."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0


class ArrivalWatch:
    """Calls `wake` whenever deliveries may have been written, until it is stopped."""

    name = "arrivals"

    def __init__(self, source: ArrivalSource, wake: Callable[[], None], log: Any) -> None:
        self._source, self._wake, self._log = source, wake, log
        self._stopping = threading.Event()
        self._pause = 0.0

    def run(self) -> None:
        """Wait and wake until `stop`, through every loss of the connection."""
        while not self._stopping.is_set():
            try:
                self._watch()
            except StoreUnavailable as error:
                self._pause = min(
                    max(self._pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS
                )
                self._log.warning("arrivals.lost", error=str(error), next_try_seconds=self._pause)
                self._stopping.wait(self._pause)

    def stop(self) -> None:
        """Return from `run` soon. From any thread."""
        self._stopping.set()

    def _watch(self) -> None:
        """One connection, from its beginning until `stop`, or until it is lost."""
        with self._source.arrivals() as arrived:
            self._pause = 0.0
            self._log.info("arrivals.watched")
            self._wake()
            while not self._stopping.is_set():
                if arrived(_WAIT_SECONDS):
                    self._wake()
