"""The outbound loop: claim due deliveries, attempt each, write down what came of it.

One thread, `run`, talks to the store; a crew of threads makes the attempts (`pipeline.crew`). A
delivery is held under a lease that is longer than an attempt can take: after a crash at any
instant the lease ends, the delivery is due again, and the receiver can tell the repeat by its
`webhook-id` (delivery 3). What came of an attempt is kept until the store has it.

What is due is claimed first, and what has ended recorded while the crew is at it. While the crew
has work its rounds are a moment apart, so that under load each serves many deliveries; without
load none waits.

Knows no HTTP and no SQL; what follows an attempt is decided in `pipeline.retry`, who goes next
in `pipeline.lanes`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Protocol

from pipeline.crew import Crew
from pipeline.dispatch import receiver, scheme
from pipeline.errors import InvalidValue, StoreUnavailable
from pipeline.lanes import Claimed
from pipeline.notification import (
    Attempt,
    Delivery,
    Failed,
    InProgress,
    Notification,
    Outcome,
    Refused,
    outcome_name,
)
from pipeline.observer import Observer, Pulse
from pipeline.retry import DeadLetter, Done, LookAgainAt, RetryAt, Step, next_step
from pipeline.sparing import GuardingOutbox, Live, Sparing
from pipeline.store.guards import News, Opened
from pipeline.targets.base import Target, heeds_guard
from pipeline.targets.settings import GUARD_ALL, GUARD_NONE, DeliverySettings
from pipeline.tracing import Tracing

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 5.0
_ROUND_SECONDS = 5.0
_BETWEEN_ROUNDS_SECONDS = 0.02
_LOOK_AGAIN_SECONDS = 0.1
_CLOCK_TOLERANCE_SECONDS = 1.0
"""How far a clock may go back unnoticed: as far as nobody minds to wait."""


class TargetSource(Protocol):
    """What the notifier needs of the targets (`pipeline.targets.Targets`)."""

    def for_action(self, action: str) -> Target:
        """The target of an action. Raises `InvalidValue` when there is none."""


class Notifier:
    """Delivers what is due until it is stopped. `random` gives numbers from 0 to below 1; `live`
    holds the targets' guards and fallbacks, and `plan` says where a notification of its own goes.

    Raises `InvalidValue` when the settings let an attempt outlive its lease.
    """

    name = "notifier"

    def __init__(
        self,
        *,
        outbox: GuardingOutbox,
        targets: TargetSource,
        settings: DeliverySettings,
        clock: Callable[[], datetime],
        random: Callable[[], float],
        log: Any,
        observer: Observer | None = None,
        tracing: Tracing | None = None,
        live: Live | None = None,
        plan: Callable[[Notification], Sequence[str]] = lambda _: (),
    ) -> None:
        _check(settings)
        self._outbox, self._targets, self._settings = outbox, targets, settings
        self._clock, self._random, self._log = clock, random, log
        self._observer, self.pulse = observer or Observer(), Pulse()
        self._tracing = tracing or Tracing()
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._longest_attempt = timedelta(seconds=settings.longest_attempt_seconds)
        self._sparing = Sparing(outbox, settings, log, self._observer, live, plan)
        most = self._sparing.most_at_once
        self._crew = Crew(settings.threads, most, self._attempt, self._clock)
        self._unrecorded: list[tuple[Delivery, Attempt, Step]] = []
        self._stops = 0
        self._made_due = False
        self._more_for: set[str] | None = None
        """The receivers for which more may be due; None: who knows for whom."""
        self._poll_at = self._store_at = self._pause_until = monotonic()
        self._store_wait = 0.0
        self._clock_offset, self._set_back = self._offset(), True  # it may have been before

    def run(self) -> None:
        """Deliver until `stop`; then let the attempts in flight end, and record them."""
        self._log.info("notifier.started", threads=self._settings.threads)
        with self._crew:
            while not self._stops:
                spare = self._spare_seconds()
                # Now and then the loop comes round all the same, so that it is seen to live.
                self._hear(_ROUND_SECONDS if spare is None else min(spare, _ROUND_SECONDS))
                self._pause()
                self._exchange()
            self._drain()
        self._log.info("notifier.stopped")

    def run_once(self) -> int:
        """Attempt all that is due now, and record it; how many attempts were made. Not for use
        beside `run`."""
        attempts, self._more_for = 0, None
        self._sparing.look_again()
        with self._crew:
            self._exchange()
            while self._crew.in_hand or self._made_due:
                attempts += self._hear(None if self._crew.in_hand else 0)
                self._exchange()
        return attempts

    def wake(self) -> None:
        """Something may be due: look at once rather than at the next poll. From any thread."""
        self._crew.wake()

    def stop(self) -> None:
        """Claim nothing more and end `run` when what is in flight has ended; a second time, end
        it at once. From any thread."""
        self._stops += 1
        self._crew.wake()

    # --- the loop's steps --------------------------------------------------------------------

    def _hear(self, wait_seconds: float | None) -> int:
        """Wait for news, and settle every attempt that has ended; how many."""
        self.pulse.beat()
        late, ended = [], 0
        for news in self._crew.hear(wait_seconds):
            if news is None:
                self._more_for = None
            elif news.attempt is None:
                late.append(news.delivery)
            else:
                self._settle(news.delivery, news.attempt)
                ended += 1
        self._release(late)
        return ended

    def _settle(self, delivery: Delivery, attempt: Attempt) -> None:
        made = delivery.attempts + 1
        now = self._clock()
        since = delivery.in_progress_since
        delays = self._sparing.retry_delays(receiver(delivery.action))
        step = next_step(attempt.outcome, made, now, self._random(), delays, since)
        self._sparing.count(delivery, attempt, now)
        self._unrecorded.append((delivery, attempt, step))
        self._observer.attempted(
            receiver(delivery.action),
            outcome_name(attempt.outcome),
            attempt.duration_seconds,
            (now - delivery.notification.created_at).total_seconds(),
            dead=isinstance(step, DeadLetter),
        )
        self._tell(delivery, attempt, step)

    def _pause(self) -> None:
        """While the crew has work, let more attempts end for the next transaction to record."""
        left = self._pause_until - monotonic()
        if left > 0:
            self._crew.rest(left)
            self._hear(0)

    def _exchange(self) -> None:
        """Take what is due, as much as the crew can do soon, unless it is to stop; then write down
        what came of ended attempts. While the store is away, keep what is to be written."""
        if monotonic() < self._store_at or not self._minds_the_clock():
            return
        try:
            if not self._stops and self._looks():
                self._claim()
            if self._unrecorded:
                self._take_note(self._sparing.finish(self._unrecorded))
        except StoreUnavailable as error:
            self._store_is_away(error)
            return
        self._unrecorded, self._store_wait = [], 0.0
        self._pause_until = monotonic() + _BETWEEN_ROUNDS_SECONDS

    def _claim(self) -> None:
        limit, busy, now = self._crew.wanted, self._crew.busy, self._clock()
        if not limit:
            return
        self._made_due = False
        self._withdraw(self._sparing.refresh(hurried=self._more_for is None))
        given = self._sparing.claim(self._lease, now, busy)
        claimed = self._outbox.claim(limit, self._lease, now, busy | self._sparing.held)
        if len(claimed) < limit:
            self._more_for = busy.union(given.more_for)  # all else that is due has been taken
        claimed = [*given.deliveries, *claimed]
        begin_by = now + self._lease - self._longest_attempt
        self._crew.add(Claimed(delivery, begin_by) for delivery in claimed)
        quiet = self._quiet_seconds(now, bool(claimed))
        for look_at in (given.look_at, self._sparing.next_probe()):
            if look_at:
                quiet = min(quiet, max((look_at - now).total_seconds(), _LOOK_AGAIN_SECONDS))
        self._poll_at = monotonic() + quiet

    def _quiet_seconds(self, now: datetime, claimed: bool) -> float:
        """How long until something may be due that nobody wakes us for, such as a retry."""
        longest = self._settings.poll_seconds
        if claimed:  # there is no time to ask now; the next look will
            return min(longest, _LOOK_AGAIN_SECONDS)
        due = self._outbox.next_due(now)
        return longest if due is None else min(longest, (due - now).total_seconds())

    def _minds_the_clock(self) -> bool:
        """When the clock was set back, let nothing wait until it has come so far again. False
        while the store is away."""
        before, self._clock_offset = self._clock_offset, self._offset()
        self._set_back |= self._clock_offset < before - _CLOCK_TOLERANCE_SECONDS
        if not self._set_back or self._stops:
            return True
        try:
            count = self._outbox.bring_forward(self._lease, self._clock())
        except StoreUnavailable as error:
            self._store_is_away(error)
            return False
        self._set_back = False
        if count:
            self._more_for = None
            self._log.warning("notifier.clock_was_ahead", deliveries=count, then="due now")
        return True

    def _offset(self) -> float:
        """The clock's reading beside that of the one which nobody sets, in seconds."""
        return self._clock().timestamp() - monotonic()

    def _looks(self) -> bool:
        """Whether it is time to look for what is due."""
        may_find = self._more_for is None or bool(self._more_for - self._crew.busy)
        return may_find or monotonic() >= self._poll_at

    def _spare_seconds(self) -> float | None:
        """How long there is nothing to do unless news comes; None for as long as that takes."""
        if self._unrecorded:
            return self._store_at - monotonic()
        if not self._crew.wanted:
            return None
        if self._looks():
            return self._store_at - monotonic()
        return max(self._store_at, self._poll_at) - monotonic()

    def _drain(self) -> None:
        """Give back what waits, and wait for what is in flight no longer than it can take."""
        self._release(self._crew.clear())
        end = monotonic() + self._settings.longest_attempt_seconds + _LONGEST_WAIT_SECONDS
        while (self._crew.in_hand or self._unrecorded) and self._stops < 2:
            if monotonic() >= end:
                break
            self._hear(min(end, self._store_at if self._unrecorded else end) - monotonic())
            self._exchange()
        if left := self._crew.in_hand + len(self._unrecorded):
            self._log.warning("notifier.not_drained", deliveries=left, then="delivered again")

    # --- the store ---------------------------------------------------------------------------

    def _take_note(self, news: Sequence[News]) -> None:
        """Of what came of the attempts that were recorded."""
        if not news:
            return
        self._withdraw([each.receiver for each in news if isinstance(each, Opened)])
        self._made_due, self._more_for = True, None

    def _withdraw(self, receivers: Collection[str]) -> None:
        """Give back what waits for receivers that are to be left alone."""
        for receiver_ in receivers:
            self._release(self._crew.withdraw(receiver_))

    def _release(self, deliveries: list[Delivery]) -> None:
        if not deliveries:
            return
        try:
            self._outbox.release(deliveries)
        except StoreUnavailable as error:
            self._store_is_away(error)  # their lease ends by itself

    def _store_is_away(self, error: StoreUnavailable) -> None:
        self._store_wait = min(
            max(self._store_wait * 2, _FIRST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS
        )
        self._store_at = monotonic() + self._store_wait
        self._log.warning(
            "notifier.store_unavailable",
            error=str(error),
            next_try_seconds=self._store_wait,
            unrecorded=len(self._unrecorded),
        )

    # --- attempts, in the crew's threads -----------------------------------------------------

    def _attempt(self, delivery: Delivery) -> Attempt:
        started_at, began = self._clock(), monotonic()
        try:
            with self._tracing.delivery(delivery) as traced:
                outcome = self._outcome(traced.delivery)
                traced.ended(outcome)
        except BaseException as error:  # noqa: BLE001 - the top of a thread: a bug loses nothing
            self._log.exception("delivery.bug", delivery_id=delivery.delivery_id)
            outcome = Failed(f"Tocsin failed on it: {type(error).__name__}")
        duration = monotonic() - began
        return Attempt(delivery.delivery_id, delivery.attempts + 1, started_at, duration, outcome)

    def _outcome(self, delivery: Delivery) -> Outcome:
        if delivery.disabled:
            return Refused(
                f"its action is disabled ({delivery.disabled})."
                " `tocsin dead-letter replay` enables it and tries again",
                asked=False,
            )
        return told(self._targets, delivery, self._settings.guard)

    # --- telling people ----------------------------------------------------------------------

    def _tell(self, delivery: Delivery, attempt: Attempt, step: Step) -> None:
        which = {
            "delivery_id": delivery.delivery_id,
            "alarm_id": delivery.notification.alarm_id,
            "receiver": receiver(delivery.action),
            "attempt": attempt.number,
        }
        match step:
            case Done():
                seconds = round(attempt.duration_seconds, 3)
                self._log.debug("delivery.delivered", **which, seconds=seconds)
            case LookAgainAt(at=at):
                note = attempt.outcome.note if isinstance(attempt.outcome, InProgress) else ""
                self._log.debug("delivery.in_progress", **which, note=note, look=at.isoformat())
            case RetryAt(at=at):
                reason = attempt.outcome.reason if isinstance(attempt.outcome, Failed) else ""
                next_try = at.isoformat()
                self._log.warning("delivery.failed", **which, reason=reason, next_try=next_try)
            case DeadLetter(reason=reason):
                self._log.error("delivery.dead_letter", **which, reason=reason)


def told(targets: TargetSource, delivery: Delivery, guard: str) -> Outcome:
    """What comes of telling a delivery's target once, in the bounds of the outbound guard.

    Also for who tries a target out by hand.
    """
    try:
        target = targets.for_action(delivery.action)
    except InvalidValue as error:
        return Refused(str(error), asked=False)
    guarded = guard == GUARD_ALL or (delivery.guarded and guard != GUARD_NONE)
    if guarded and not heeds_guard(target):
        return Refused(
            f"{scheme(delivery.action)}:// cannot be held to public addresses, so only an"
            " admin may set such an action, and not where delivery.guard is all. Let an admin"
            " set up a target",
            asked=False,
        )
    return target.deliver(delivery)


def _check(settings: DeliverySettings) -> None:
    longest = settings.longest_attempt_seconds
    if settings.lease_seconds <= longest:
        raise InvalidValue(
            f"delivery.lease_seconds: {settings.lease_seconds:g} s is not longer than one attempt"
            f" can take, {longest:g} s with these time-outs. Make it longer, or the time-outs"
            " shorter",
            field="delivery.lease_seconds",
        )
