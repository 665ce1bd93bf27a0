"""Calendars: when a matcher may match, as Proxmox writes it (notifications 8). Pure.

    8-12                    every day, from 8:00 to 12:00
    8:00-15:30              every day, to the minute
    mon-fri 9-17            on some days of the week
    sun,tue-wed,fri 9-17    several, and ranges of them
    sat,sun                 the whole day
    fri 22-6                over midnight: it begins on a Friday

The minute of the end is part of it, as in Proxmox. Days may also be written `mon..fri`, and in
full. Times are those on the wall, in the time zone of whoever asks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pipeline.errors import InvalidValue

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EVERY_DAY: Final = frozenset(range(7))
_MIDNIGHT: Final = 24 * 60
_FORM = re.compile(
    r"(?P<days>[a-z][a-z\s,.-]*?)?\s*(?:(?P<start>\d{1,2}(?::\d{2})?)\s*-\s*(?P<end>\d{1,2}(?::\d{2})?))?"
)
_RANGE = re.compile(r"\s*(?:-|\.\.)\s*")
_EXAMPLES = "Write mon-fri 9-17, 8:00-15:30 or sat,sun."


@dataclass(frozen=True, slots=True)
class Window:
    """A time of some days of the week: Monday is 0, times are minutes after midnight."""

    days: frozenset[int]
    start: int
    end: int

    def holds(self, local: datetime) -> bool:
        """Whether the moment, in local time, is within."""
        day, minute = local.weekday(), local.hour * 60 + local.minute
        if self.start <= self.end:
            return day in self.days and self.start <= minute <= self.end
        begun_today = minute >= self.start and day in self.days
        return begun_today or (minute <= self.end and (day - 1) % 7 in self.days)


def window(text: str) -> Window:
    """What the text means. Raises `InvalidValue` for one that means nothing."""
    found = _FORM.fullmatch(text.strip().lower())
    if found is None or not any(found.groupdict().values()):
        raise InvalidValue(f"{text!r} is no time of the week. {_EXAMPLES}", "match-calendar")
    days = _days(found["days"], text) if found["days"] else _EVERY_DAY
    if found["start"] is None:
        return Window(days, 0, _MIDNIGHT)
    return Window(days, _minutes(found["start"], text), _minutes(found["end"], text))


def _days(given: str, text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in given.split(","):
        first, *last = (_day(word, text) for word in _RANGE.split(part.strip(), maxsplit=1))
        length = (last[0] - first) % 7 if last else 0
        days |= {(first + more) % 7 for more in range(length + 1)}
    return frozenset(days)


def _day(word: str, text: str) -> int:
    if word in _FULL:
        return _FULL.index(word)
    if word in _DAYS:
        return _DAYS.index(word)
    known = ", ".join(_DAYS)
    raise InvalidValue(f"{text!r}: {word!r} is no day. Use {known}.", "match-calendar")


def _minutes(given: str, text: str) -> int:
    hours, _, minutes = given.partition(":")
    total = int(hours) * 60 + int(minutes or 0)
    if total > _MIDNIGHT or int(minutes or 0) > 59:
        message = f"{text!r}: {given!r} is no time of day. Use 0:00 to 24:00."
        raise InvalidValue(message, "match-calendar")
    return total
