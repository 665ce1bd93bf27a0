"""Breaker: when a receiver that fails is left alone, tried again, and given up (delivery 8).

    closed ──  so many failures of so many attempts lately  ──► open
    open   ──  after a pause, one delivery goes as a probe  ──► closed if it is answered,
                                                                else open for another pause
    any    ──  nothing but failures for days                ──► disabled

An attempt that was answered, be it by a refusal, is no failure: the receiver lives.

Pure. A notifier counts what it hears in a `Tally`; what the store keeps of a receiver is a
`Breaker`, and `after` says what becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

SLOTS: Final = 10
"""In so many parts the time is counted over which failures are looked at."""

Counts = Mapping[int, tuple[int, int]]
"""Attempts, and failures among them, by slot of time."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """The breaker opens at this `share` of failures among at least `attempts` in the `window`.

    After each `pause` one delivery probes. A receiver is disabled after `disable_after` of
    nothing but failures, as many as `attempts` at least; None: never.
    """

    share: float = 0.7
    attempts: int = 10
    window: timedelta = timedelta(minutes=5)
    pause: timedelta = timedelta(seconds=30)
    disable_after: timedelta | None = timedelta(days=5)

    def slot(self, moment: datetime) -> int:
        """The slot of time that a moment lies in."""
        return int(moment.timestamp() * SLOTS // self.window.total_seconds())


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of a receiver that has failed. `probe` is the delivery that tries it now.

    `failures` have been since `failing_since`, and nothing else has. `probe_at` is when the next
    may try it.
    """

    lately: Counts = field(default_factory=lambda: MappingProxyType({}))
    failing_since: datetime | None = None
    failures: int = 0
    last_error: str = ""
    open_since: datetime | None = None
    probe_at: datetime | None = None
    probe: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nothing goes to the receiver but a probe."""
        return self.open_since is not None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to remember of it."""
        failed_lately = any(failures for _, failures in self.lately.values())
        return not (self.is_open or self.failing_since or failed_lately)


@dataclass(slots=True)
class Heard:
    """What one notifier has heard of a receiver and not yet told.

    `failed_since` is the first failure after the last answer, `failures` how many there are.
    """

    counts: dict[int, tuple[int, int]] = field(default_factory=dict)
    answered: bool = False
    failed_since: datetime | None = None
    failures: int = 0
    error: str = ""

    def add(self, slot: int, at: datetime, error: str | None) -> None:
        """An attempt ended so; `error` is None where it was answered."""
        attempts, failures = self.counts.get(slot, (0, 0))
        self.counts[slot] = attempts + 1, failures + (error is not None)
        if error is None:
            self.answered, self.failed_since, self.failures = True, None, 0
            return
        self.failed_since, self.error = self.failed_since or at, error
        self.failures += 1

    def forget_before(self, slot: int) -> None:
        """Forget what is too long ago to be looked at."""
        self.counts = {at: counted for at, counted in self.counts.items() if at > slot}


class Tally:
    """Counts attempts by receiver, for one notifier. Forgets what is too long ago."""

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._heard: dict[str, Heard] = {}
        self._failed: set[str] = set()
        self._slot = 0

    def add(self, receiver: str, at: datetime, error: str | None) -> None:
        """An attempt ended so; `error` is None where it was answered. Costs 1 µs."""
        slot = self._rules.slot(at)
        if slot != self._slot:
            self._forget(slot)
        if (heard := self._heard.get(receiver)) is None:
            heard = self._heard[receiver] = Heard()
        heard.add(slot, at, error)
        if error is not None:
            self._failed.add(receiver)

    def failed(self) -> set[str]:
        """The receivers that have failed and are not told of."""
        return set(self._failed)

    def told_of(self, receivers: Iterable[str]) -> dict[str, Heard]:
        """What is to be told of these receivers; `done` forgets it."""
        return {who: self._heard[who] for who in receivers if who in self._heard}

    def done(self, receivers: Iterable[str]) -> None:
        """These have been told of."""
        for who in receivers:
            self._heard.pop(who, None)
            self._failed.discard(who)

    def _forget(self, slot: int) -> None:
        self._slot, oldest = slot, slot - SLOTS
        for heard in self._heard.values():
            heard.forget_before(oldest)
        self._heard = {
            who: heard for who, heard in self._heard.items() if heard.counts or who in self._failed
        }


class Verdict(NamedTuple):
    """What becomes of a breaker. `disable` says why the receiver is to be told nothing any more,
    `''` where it is not."""

    breaker: Breaker
    disable: str = ""


def after(
    breaker: Breaker, heard: Heard, now: datetime, rules: BreakerRules, probe: bool | None = None
) -> Verdict:
    """The breaker after what was heard. `probe` says whether the probe was answered; None: it
    has not ended."""
    breaker = _counted(breaker, heard, now, rules)
    since = breaker.failing_since
    long = bool(rules.disable_after and since and now - since >= rules.disable_after)
    if long and since and breaker.failures >= rules.attempts:
        return Verdict(breaker, f"it only failed for {_days(now - since)}")
    if not breaker.is_open:
        return Verdict(_opened(breaker, now, rules) if _fails(breaker, rules) else breaker)
    if probe:
        return Verdict(replace(breaker, lately={}, open_since=None, probe_at=None, probe=""))
    if probe is False:
        return Verdict(replace(breaker, probe_at=now + rules.pause, probe=""))
    return Verdict(breaker)


def _counted(breaker: Breaker, heard: Heard, now: datetime, rules: BreakerRules) -> Breaker:
    oldest = rules.slot(now) - SLOTS
    lately = {at: counted for at, counted in breaker.lately.items() if at > oldest}
    for at, (attempts, failures) in heard.counts.items():
        if at > oldest:
            before = lately.get(at, (0, 0))
            lately[at] = before[0] + attempts, before[1] + failures
    since, failures = breaker.failing_since, breaker.failures
    if heard.answered:
        since, failures = None, 0
    return replace(
        breaker,
        lately=lately,
        failing_since=since or heard.failed_since,
        failures=failures + heard.failures,
        last_error=heard.error or breaker.last_error,
    )


def _fails(breaker: Breaker, rules: BreakerRules) -> bool:
    attempts = sum(counted[0] for counted in breaker.lately.values())
    failures = sum(counted[1] for counted in breaker.lately.values())
    return attempts >= rules.attempts and failures >= rules.share * attempts


def _opened(breaker: Breaker, now: datetime, rules: BreakerRules) -> Breaker:
    return replace(breaker, open_since=now, probe_at=now + rules.pause, probe="")


def _days(span: timedelta) -> str:
    days = span.days
    return f"{days} day{'' if days == 1 else 's'}" if days else f"{span.total_seconds():.0f} s"
