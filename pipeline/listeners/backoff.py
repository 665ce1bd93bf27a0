"""How long to wait before the next try: twice as long each time, with jitter, up to a bound.

The jitter takes up to half away, so that listeners which lost the same broker do not all come
back in the same moment.
"""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """The waits between tries, in seconds. `jitter` gives a number in [0, 1)."""

    def __init__(self, shortest: float, longest: float, jitter: Callable[[], float]) -> None:
        self._shortest, self._longest, self._jitter = shortest, longest, jitter
        self._next = shortest

    def step(self) -> float:
        """The next wait."""
        seconds = min(self._next, self._longest)
        self._next = seconds * 2
        return seconds * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Begin anew with the shortest wait."""
        self._next = self._shortest
