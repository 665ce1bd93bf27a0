"""What follows an attempt: done, another try, or the dead-letter list (delivery 4, 5).

Pure: `next_step` is given the time and the jitter and returns a value; the notifier carries it
out. A delay is never shorter than what the receiver asked for, nor longer than the schedule says
unless the receiver asked for that. What is in progress is looked at again and again, which is no
failure; but not for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from pipeline.notification import Delivered, Failed, InProgress, Outcome, Refused


@dataclass(frozen=True, slots=True)
class Done:
    """The delivery has arrived."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at this time (aware UTC)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class LookAgainAt:
    """The receiver is at it `since` then: look again at this time. No failure of the schedule."""

    at: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Give up; a person decides. `reason` says why."""

    reason: str


Step: TypeAlias = Done | RetryAt | LookAgainAt | DeadLetter

_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
DEFAULT_DELAYS = tuple(timedelta(seconds=seconds) for seconds in _SECONDS)

LONGEST_ASKED = timedelta(days=1)
"""How far a receiver's `Retry-After` is honoured: nobody may put us off for ever."""

SOONEST_LOOK, LATEST_LOOK = timedelta(seconds=1), timedelta(hours=1)
"""What is in progress is looked at no sooner and no later than that after the last look."""

LONGEST_IN_PROGRESS = timedelta(days=7)
"""How long it may be in progress. A target gives up much sooner, and says why."""

_JITTER = 0.1


def next_step(
    outcome: Outcome,
    attempts_made: int,
    now: datetime,
    jitter: float,
    delays: Sequence[timedelta] = DEFAULT_DELAYS,
    in_progress_since: datetime | None = None,
) -> Step:
    """What follows the attempt that ended as `outcome`.

    `attempts_made` counts that attempt. After the n-th failure the n-th of `delays` is waited,
    shortened by up to a tenth as `jitter` (from 0 to below 1) says, so that what failed together
    does not come back together and yet no delay passes the one named or the one after it. When
    all delays are used up the delivery is a dead letter; what was refused is one at once.
    What is in progress, `in_progress_since` or from now on, is looked at again when the target
    asks for it.
    """
    match outcome:
        case Delivered():
            return Done()
        case InProgress():
            return _next_look(outcome, now, in_progress_since or now)
        case Refused(reason=reason):
            return DeadLetter(f"refused: {reason}")
        case Failed(reason=reason) if attempts_made > len(delays):
            times = "once" if attempts_made == 1 else f"{attempts_made} times"
            return DeadLetter(f"tried {times}, at last: {reason}")
        case Failed(retry_after=asked):
            delay = delays[attempts_made - 1] * (1 - _JITTER * jitter)
            return RetryAt(now + max(delay, min(asked or timedelta(), LONGEST_ASKED)))


def _next_look(outcome: InProgress, now: datetime, since: datetime) -> Step:
    if now - since >= LONGEST_IN_PROGRESS:
        return DeadLetter(f"in progress for {LONGEST_IN_PROGRESS.days} days: {outcome.note}")
    wait = min(max(outcome.look_again_in, SOONEST_LOOK), LATEST_LOOK)
    return LookAgainAt(now + wait, since)
