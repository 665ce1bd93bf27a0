"""Time constraints: the recurring windows outside of which an alarm does not fire (alarms 4).

A window opens at each time of a cron expression, in the constraint's time zone, and lasts for its
duration, both ends included. An alarm fires inside any one of its windows; one without
constraints always. That is Aodh's meaning, but for the minute before each opening, which Aodh
lets through.

Pure: `now` is an argument. Called by `pipeline.alarms.evaluator`, by whoever takes in alarms, and
by `pipeline.alarms.explaining`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from croniter import croniter

from pipeline.alarms.alarm import TimeConstraint
from pipeline.errors import InvalidValue

_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


class Window(NamedTuple):
    """The last window of a constraint that has opened, and when the next one does, in its zone.

    None stands for what is too far away for a date. Windows that are longer than the time between
    them lie over each other.
    """

    open: bool
    opened: datetime
    ends: datetime | None
    next_opens: datetime | None


def within(constraints: Sequence[TimeConstraint], now: datetime) -> bool:
    """Whether an alarm with these constraints may fire at `now` (aware).

    Raises `InvalidValue` for a constraint that cannot be read.
    """
    return not constraints or any(_is_open(constraint, now) for constraint in constraints)


def check(constraint: TimeConstraint) -> None:
    """Raise `InvalidValue` for a constraint that cannot be read."""
    _is_open(constraint, _ANY_TIME)


def window(constraint: TimeConstraint, now: datetime) -> Window:
    """How the constraint stands at `now` (aware). Raises `InvalidValue`, as `within` does."""
    is_open = _is_open(constraint, now)
    local = now.astimezone(zone(constraint.timezone))
    opened = latest_start(constraint.start, local)
    return Window(is_open, opened, _end(constraint, opened), _next_start(constraint.start, local))


def zone(name: str) -> tzinfo:
    """The time zone of that IANA name, UTC for ''. Raises `InvalidValue`: "… is not valid"."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError) as error:
        message = f"Timezone {name} is not valid. Use an IANA name such as Europe/Ljubljana."
        raise InvalidValue(message, "timezone") from error


def latest_start(cron: str, now: datetime) -> datetime:
    """The last time of the cron expression that is not after `now`, in the zone of `now`.

    Raises `InvalidValue` for what is no cron expression, or one that never comes about.
    """
    try:
        # croniter looks strictly before the moment it is given.
        start: datetime = croniter(cron, now + timedelta(microseconds=1)).get_prev(datetime)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        message = f"{cron!r} is not a cron expression: {error}. Give minute, hour, day of month,"
        raise InvalidValue(f"{message} month and day of week: '0 23 * * *'.", "start") from error
    return start


def _end(constraint: TimeConstraint, opened: datetime) -> datetime | None:
    try:
        ends = opened.astimezone(UTC) + timedelta(seconds=constraint.duration_seconds)
        return ends.astimezone(opened.tzinfo)
    except OverflowError:
        return None


def _next_start(cron: str, now: datetime) -> datetime | None:
    try:
        start: datetime = croniter(cron, now).get_next(datetime)
    except (ValueError, OverflowError):  # none before the year 9999
        return None
    return start


def _is_open(constraint: TimeConstraint, now: datetime) -> bool:
    local = now.astimezone(zone(constraint.timezone))
    # In UTC, where an hour lasts an hour also when the clocks are changed.
    start = latest_start(constraint.start, local).astimezone(UTC)
    return (now - start).total_seconds() <= constraint.duration_seconds
