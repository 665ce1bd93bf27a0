"""Labels that are bounded, so that nobody who sends something makes metrics without end."""

from __future__ import annotations

import threading

OTHER = "other"


class Bounded:
    """The first so many values of a label as they are; the others as `other`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def of(self, value: str) -> str:
        if value in self._known:
            return value
        # What UTF-8 cannot say would spoil the whole page.
        value = value.encode("utf-8", "replace").decode()
        with self._lock:
            if value not in self._known and len(self._known) >= self._limit:
                return OTHER
            self._known.add(value)
        return value
