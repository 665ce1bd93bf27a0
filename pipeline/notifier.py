"""The outbound loop: claim due deliveries, attempt each, write down what came of it.

One thread, `run`, talks to the store; a crew of threads makes the attempts. A delivery is held
under a lease that is longer than an attempt can take: after a crash at any instant the lease
ends, the delivery is due again, and the receiver can tell the repeat by its `webhook-id`
(delivery 3). What came of an attempt is kept until the store has it.

Knows no HTTP and no SQL; what follows an attempt is decided in `pipeline.retry`, who goes next
in `pipeline.lanes`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple, Protocol

from pipeline.dispatch import receiver
from pipeline.errors import InvalidValue, StoreUnavailable
from pipeline.lanes import Claimed, Lanes
from pipeline.notification import Attempt, Delivery, Failed, Outcome, Refused
from pipeline.observer import Observer, Pulse
from pipeline.retry import DeadLetter, Done, RetryAt, Step, next_step
from pipeline.store.base import Outbox
from pipeline.targets.base import Target
from pipeline.targets.settings import DeliverySettings

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 5.0


class TargetSource(Protocol):
    """What the notifier needs of the targets (`pipeline.targets.Targets`)."""

    def for_action(self, action: str) -> Target:
        """The target of an action. Raises `InvalidValue` when there is none."""


class _Ended(NamedTuple):
    delivery: Delivery
    attempt: Attempt


class Notifier:
    """Delivers what is due until it is stopped. `random` gives numbers from 0 to below 1.

    Raises `InvalidValue` when the settings let an attempt outlive its lease.
    """

    name = "notifier"

    def __init__(
        self,
        *,
        outbox: Outbox,
        targets: TargetSource,
        settings: DeliverySettings,
        clock: Callable[[], datetime],
        random: Callable[[], float],
        log: Any,
        observer: Observer | None = None,
    ) -> None:
        _check(settings)
        self._outbox, self._targets, self._settings = outbox, targets, settings
        self._clock, self._random, self._log = clock, random, log
        self._observer, self.pulse = observer or Observer(), Pulse()
        self._delays = settings.retry_delays
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._lanes = Lanes(settings.threads, settings.per_target_concurrency)
        self._unrecorded: list[tuple[Delivery, Attempt, Step]] = []
        # Both are safe to put into from any thread and from a signal handler.
        self._jobs: SimpleQueue[Delivery | None] = SimpleQueue()
        self._news: SimpleQueue[_Ended | None] = SimpleQueue()
        self._stops = 0
        self._more_due = True
        self._passed_over: set[str] = set()
        self._poll_at = self._store_at = monotonic()
        self._store_wait = 0.0

    def run(self) -> None:
        """Deliver until `stop`; then let the attempts in flight end, and record them."""
        self._log.info("notifier.started", threads=self._settings.threads)
        with self._crew():
            while not self._stops:
                self._hear(self._spare_seconds())
                self._begin()
                self._record()
                self._claim()
            self._drain()
        self._log.info("notifier.stopped")

    def run_once(self) -> int:
        """Attempt all that is due now, and record it; how many attempts were made. Not for use
        beside `run`."""
        attempts, self._more_due = 0, True
        with self._crew():
            self._record()
            self._claim()
            while self._lanes.in_flight:
                attempts += self._hear(None)
                self._begin()
                self._record()
                self._claim()
        return attempts

    def wake(self) -> None:
        """Something may be due: look at once rather than at the next poll. From any thread."""
        self._news.put(None)

    def stop(self) -> None:
        """Claim nothing more and end `run` when what is in flight has ended; a second time, end
        it at once. From any thread."""
        self._stops += 1
        self._news.put(None)

    # --- the loop's steps --------------------------------------------------------------------

    def _hear(self, wait_seconds: float | None) -> int:
        """Wait for news, and settle every attempt that has ended; how many."""
        ended = 0
        self.pulse.beat()
        try:
            news = self._news.get(timeout=None if wait_seconds is None else max(wait_seconds, 0))
            while True:
                if news is None:
                    self._more_due = True
                else:
                    self._settle(news)
                    ended += 1
                news = self._news.get_nowait()
        except Empty:
            return ended

    def _settle(self, ended: _Ended) -> None:
        delivery, attempt = ended
        self._lanes.end(delivery)
        made = delivery.attempts + 1
        now = self._clock()
        step = next_step(attempt.outcome, made, now, self._random(), self._delays)
        self._unrecorded.append((delivery, attempt, step))
        self._observer.attempted(
            receiver(delivery.action),
            type(attempt.outcome).__name__.lower(),
            attempt.duration_seconds,
            (now - delivery.notification.created_at).total_seconds(),
            dead=isinstance(step, DeadLetter),
        )
        self._tell(delivery, attempt, step)

    def _begin(self) -> None:
        """Hand to the crew whatever may go; give back what has waited too long for that."""
        now = self._clock()
        late = []
        for delivery, begin_by in self._lanes.begin():
            if now <= begin_by:
                self._jobs.put(delivery)
            else:
                self._lanes.end(delivery)
                late.append(delivery)
        self._release(late)

    def _record(self) -> None:
        """Write down what came of ended attempts; keep it while the store is away."""
        if not self._unrecorded or monotonic() < self._store_at:
            return
        try:
            self._outbox.finish(self._unrecorded)
        except StoreUnavailable as error:
            self._store_is_away(error)
        else:
            self._unrecorded = []
            self._store_wait = 0.0

    def _claim(self) -> None:
        """Take what is due, as much as there are threads for, and begin it."""
        spare = self._spare_seconds()
        if self._unrecorded or spare is None or spare > 0:
            return
        limit = self._lanes.free
        busy, now = self._lanes.busy, self._clock()
        try:
            claimed = self._outbox.claim(limit, self._lease, now, busy)
        except StoreUnavailable as error:
            self._store_is_away(error)
            return
        self._store_wait = 0.0
        self._more_due, self._passed_over = len(claimed) == limit, busy
        self._poll_at = monotonic() + self._settings.poll_seconds
        longest = timedelta(seconds=self._settings.longest_attempt_seconds)
        self._lanes.add(Claimed(delivery, now + self._lease - longest) for delivery in claimed)
        self._begin()

    def _spare_seconds(self) -> float | None:
        """How long there is nothing to do unless news comes; None for as long as that takes."""
        if self._unrecorded:
            return self._store_at - monotonic()
        if not self._lanes.free:
            return None
        has_room_again = self._passed_over - self._lanes.busy
        if self._more_due or has_room_again:
            return self._store_at - monotonic()
        return max(self._store_at, self._poll_at) - monotonic()

    def _drain(self) -> None:
        """Give back what waits, and wait for what is in flight no longer than it can take."""
        self._release(self._lanes.clear())
        end = monotonic() + self._settings.longest_attempt_seconds + _LONGEST_WAIT_SECONDS
        while (self._lanes.in_flight or self._unrecorded) and self._stops < 2:
            if monotonic() >= end:
                break
            self._hear(min(end, self._store_at if self._unrecorded else end) - monotonic())
            self._record()
        if left := self._lanes.in_flight + len(self._unrecorded):
            self._log.warning("notifier.not_drained", deliveries=left, then="delivered again")

    # --- the store ---------------------------------------------------------------------------

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

    @contextmanager
    def _crew(self) -> Iterator[None]:
        """Threads that make attempts. Daemons: one that hangs does not keep the process."""
        count = self._settings.threads
        for number in range(count):
            name = f"{self.name}-{number}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        try:
            yield
        finally:
            for _ in range(count):
                self._jobs.put(None)

    def _work(self) -> None:
        while (delivery := self._jobs.get()) is not None:
            self._news.put(_Ended(delivery, self._attempt(delivery)))

    def _attempt(self, delivery: Delivery) -> Attempt:
        started_at, began = self._clock(), monotonic()
        try:
            outcome = self._outcome(delivery)
        except Exception as error:  # noqa: BLE001 - the top of a thread: a bug loses no delivery
            self._log.exception("delivery.bug", delivery_id=delivery.delivery_id)
            outcome = Failed(f"Tocsin failed on it: {type(error).__name__}")
        duration = monotonic() - began
        return Attempt(delivery.delivery_id, delivery.attempts + 1, started_at, duration, outcome)

    def _outcome(self, delivery: Delivery) -> Outcome:
        if delivery.disabled:
            return Refused(
                f"its action is disabled ({delivery.disabled})."
                " `tocsin dead-letter replay` enables it and tries again"
            )
        try:
            target = self._targets.for_action(delivery.action)
        except InvalidValue as error:
            return Refused(str(error))
        return target.deliver(delivery)

    # --- telling people ----------------------------------------------------------------------

    def _tell(self, delivery: Delivery, attempt: Attempt, step: Step) -> None:
        log = self._log.bind(
            delivery_id=delivery.delivery_id,
            alarm_id=delivery.notification.alarm_id,
            receiver=receiver(delivery.action),
            attempt=attempt.number,
        )
        match step:
            case Done():
                log.debug("delivery.delivered", seconds=round(attempt.duration_seconds, 3))
            case RetryAt(at=at):
                reason = attempt.outcome.reason if isinstance(attempt.outcome, Failed) else ""
                log.warning("delivery.failed", reason=reason, next_try=at.isoformat())
            case DeadLetter(reason=reason):
                log.error("delivery.dead_letter", reason=reason)


def _check(settings: DeliverySettings) -> None:
    longest = settings.longest_attempt_seconds
    if settings.lease_seconds <= longest:
        raise InvalidValue(
            f"delivery.lease_seconds: {settings.lease_seconds:g} s is not longer than one attempt"
            f" can take, {longest:g} s with these time-outs. Make it longer, or the time-outs"
            " shorter",
            field="delivery.lease_seconds",
        )
