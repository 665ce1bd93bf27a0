"""Pace: how much a target is given, and when it is combined into a digest (delivery 8, 12).

Two bounds, each optional. The *rate* lets so many attempts begin in a time span and spreads the
rest evenly (GCRA: one moment says it all, which is why two notifiers can keep to it together).
The *storm* lets so many notifications through in a window; once more have come, all that come go
into one digest at the end of each window, until one has passed that brought no more than the cap.

Pure. The store keeps a `Pace` for each target that has such a bound; its row is locked while
somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.dispatch.guards import Limit


@dataclass(frozen=True, slots=True)
class PaceRules:
    """The bounds of a target; None where there is none."""

    rate: Limit | None = None
    storm: Limit | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a target stands.

    `full_at` is the moment at which its rate would be used up to nothing if nobody waited: GCRA's
    theoretical arrival time. The present window of its storm guard began at `window_from` and has
    let `told` through; `storming` says that everything goes into its digest.
    """

    full_at: datetime | None = None
    window_from: datetime | None = None
    told: int = 0
    storming: bool = False


# --- rate ----------------------------------------------------------------------------------------


def allowed(pace: Pace, limit: Limit | None, wanted: int, now: datetime) -> int:
    """How many attempts may begin now, of those wanted."""
    if limit is None:
        return wanted
    if pace.full_at is None or pace.full_at <= now:
        return min(wanted, limit.count)
    room = limit.span - min(pace.full_at - now, limit.span)
    return min(wanted, room * limit.count // limit.span)


def taken(pace: Pace, limit: Limit | None, count: int, now: datetime) -> Pace:
    """The pace after so many attempts were begun."""
    if limit is None or not count:
        return pace
    since = now if pace.full_at is None else max(pace.full_at, now)
    return replace(pace, full_at=since + limit.span * count / limit.count)


def next_at(pace: Pace, limit: Limit | None, now: datetime) -> datetime:
    """When the next attempt may begin; no later than a whole span from now, whatever clock wrote
    the pace."""
    if limit is None or pace.full_at is None:
        return now
    free_at = pace.full_at - limit.span + limit.span / limit.count
    return min(max(free_at, now), now + limit.span)


# --- storm ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Through:
    """So many notifications may be told one by one; `pace` is without them."""

    count: int
    pace: Pace


@dataclass(frozen=True, slots=True)
class Hold:
    """All that waits is held until then."""

    until: datetime
    pace: Pace


@dataclass(frozen=True, slots=True)
class Combine:
    """All that waits becomes one digest now; a single one is told as it is."""

    pace: Pace


def through_storm(
    pace: Pace, limit: Limit, waiting: int, now: datetime
) -> Through | Hold | Combine:
    """What becomes of the notifications that wait, which are looked at up to one more than the
    cap. `told_one_by_one` counts what was let through."""
    pace = _in_window(pace, limit, now)
    assert pace.window_from is not None
    ends_at = pace.window_from + limit.span
    if pace.storming:
        if now < ends_at:
            return Hold(ends_at, pace)
        # As long as more comes than the cap, the storm goes on.
        return Combine(Pace(pace.full_at, now, 1, storming=waiting > limit.count))
    room = limit.count - pace.told
    if waiting <= room:
        return Through(waiting, pace)
    # What still fits goes; the rest waits for the end of the window.
    return Through(room, replace(pace, storming=True))


def told_one_by_one(pace: Pace, count: int) -> Pace:
    """The pace after so many notifications were let through."""
    return replace(pace, told=pace.told + count)


def _in_window(pace: Pace, limit: Limit, now: datetime) -> Pace:
    """The pace in the window that now lies in. One that was begun by a clock that was ahead is
    begun anew."""
    began = pace.window_from
    if began is None or began > now + limit.span:
        return replace(pace, window_from=now, told=0, storming=False)
    # A storm is over as well when a whole window has passed in which nobody asked.
    over = began + (2 if pace.storming else 1) * limit.span
    return replace(pace, window_from=now, told=0, storming=False) if now >= over else pace
