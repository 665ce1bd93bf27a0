"""What follows an attempt: done, another try, or the dead-letter list (delivery 4, 5).

Pure: `next_step` is given the time and the jitter and returns a value; the notifier carries it
out. A delay never shrinks below what the receiver asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Done:
    """The delivery has arrived."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at this time (aware UTC)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Give up; a person decides. `reason` says why."""

    reason: str


Step: TypeAlias = Done | RetryAt | DeadLetter

_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
DEFAULT_DELAYS = tuple(timedelta(seconds=seconds) for seconds in _SECONDS)
