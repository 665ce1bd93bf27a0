"""Globs: the event types and globs that alarms may be kept under for an event to reach them.

Event types are few and come again and again, so the answer is remembered: a known event type
costs one look-up. A new event type is tried against the globs whose literal beginning it has, and
a new glob is put into the remembered answers that it matches, so that neither starts over.

Called by `pipeline.alarms.index.index`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from typing import Any

from pipeline.alarms.conditions import glob

_EVENT_TYPES_KEPT = 10_000
_LITERAL = re.compile(r"[^*?\[]*")


def is_glob(pattern: str) -> bool:
    """Whether a pattern can match anything but itself."""
    return "*" in pattern or "?" in pattern or "[" in pattern


def _literal_start(pattern: str) -> str:
    found = _LITERAL.match(pattern)
    return found[0] if found else ""


class Globs:
    """The distinct globs in use, each with the number of its users."""

    def __init__(self) -> None:
        self._users: dict[str, int] = {}
        self._by_start: dict[str, dict[str, Callable[[str], Any]]] = {}
        self._known: dict[str, set[str]] = {}

    def add(self, pattern: str) -> None:
        """One user more. Raises `InvalidValue` for a pattern that cannot be a glob."""
        if pattern in self._users:
            self._users[pattern] += 1
            return
        matches = glob(pattern)
        self._users[pattern] = 1
        self._by_start.setdefault(_literal_start(pattern), {})[pattern] = matches
        for event_type, patterns in self._known.items():
            if matches(event_type):
                patterns.add(pattern)

    def remove(self, pattern: str) -> None:
        """One user fewer; the last one takes the glob along."""
        self._users[pattern] -= 1
        if self._users[pattern]:
            return
        del self._users[pattern]
        start = _literal_start(pattern)
        matches = self._by_start[start].pop(pattern)
        if not self._by_start[start]:
            del self._by_start[start]
        for event_type, patterns in self._known.items():
            if matches(event_type):
                patterns.discard(pattern)

    def matching(self, event_type: str) -> Set[str]:
        """The globs that match the event type, and the event type itself."""
        patterns = self._known.get(event_type)
        return self._learn(event_type) if patterns is None else patterns

    def _learn(self, event_type: str) -> set[str]:
        lengths = {len(start) for start in self._by_start}
        # One that reads like a glob is not itself: `[a]` matches but `a`.
        found = set() if is_glob(event_type) else {event_type}
        for length in lengths:
            if length <= len(event_type):
                patterns = self._by_start.get(event_type[:length], {})
                found.update(k for k, matches in patterns.items() if matches(event_type))
        if len(self._known) >= _EVENT_TYPES_KEPT:
            self._known.clear()
        self._known[event_type] = found
        return found
