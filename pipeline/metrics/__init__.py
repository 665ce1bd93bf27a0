"""Metrics: what a process counts of its work, in the form that Prometheus reads.

One `Metrics`, with a registry of its own, for each process: made by the composition root and
handed to the parts as their `Observer`. It counts whole batches, so that an event that fires
nothing costs a fraction of a microsecond. Every label is bounded: whatever comes beyond the bound
is counted as `other`. No label holds a secret: receivers and sinks appear as scheme, host and
port.

With PROMETHEUS_MULTIPROC_DIR in the environment before this module is imported, all values live in
files of that directory, and `aggregate` gives the sum over all processes that write there: so the
parent of several workers serves one page for all. Serves nothing itself: `pipeline.exposition`.

    families.py   which metrics there are
    labels.py     labels that are bounded
    workers.py    the metrics of several processes as one page
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import wraps
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

import structlog
from prometheus_client import Counter, Histogram

from pipeline.dispatch import receiver
from pipeline.metrics.families import Families
from pipeline.metrics.labels import OTHER, Bounded
from pipeline.metrics.workers import aggregate, forget
from pipeline.observer import Observer

if TYPE_CHECKING:
    from pipeline.event import Event

__all__ = ["OTHER", "Metrics", "aggregate", "forget"]

Tell = TypeVar("Tell", bound=Callable[..., None])

_CLASSES, _LISTENERS, _RECEIVERS, _TEMPLATES, _TRAITS, _KNOWN_TYPES = 64, 16, 100, 50, 100, 4_096
_ROUTES, _METHODS = 200, 10

_LONGEST_CLASS = 40

_EVENT_TYPE = itemgetter(1)
"""An event's type by its place, which is the quickest way to it (`pipeline.event.Event`)."""


def _raises_nothing(tell: Tell) -> Tell:
    """What counts must not stop what works: a full disk under the files of several workers, say.

    The first failure is logged; a metric that does not move is seen by itself.
    """

    @wraps(tell)
    def guarded(self: Metrics, *args: Any, **kwargs: Any) -> None:
        try:
            tell(self, *args, **kwargs)
        except Exception:  # noqa: BLE001 - see above
            if not self.has_failed:
                self.has_failed = True
                structlog.get_logger().exception("metrics.not_counted")

    return cast("Tell", guarded)


class Metrics(Families, Observer):
    """All metrics of one process, which its parts tell of their work."""

    has_failed = False

    def __init__(self) -> None:
        super().__init__()
        self._event_class = Bounded(_CLASSES)
        self._listener = Bounded(_LISTENERS)
        self._receiver = Bounded(_RECEIVERS)
        self._template = Bounded(_TEMPLATES)
        self._trait = Bounded(_TRAITS)
        self._user = Bounded(_RECEIVERS)
        self._publisher = Bounded(_RECEIVERS)
        self._route, self._method = Bounded(_ROUTES), Bounded(_METHODS)
        # What `labels` gives, kept: to look it up takes longer than to count.
        self._counters: dict[tuple[str, str, str], Counter] = {}
        self._histograms: dict[str, tuple[Histogram, Histogram, Histogram]] = {}
        self._attempts: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    # --- told by the parts -------------------------------------------------------------------

    @_raises_nothing
    def decided(
        self, source: str, size: int, events: Sequence[Event], decisions: Sequence[Any],
        now: datetime, seconds: float,
    ) -> None:  # fmt: skip
        """Count a batch; see `Observer`."""
        listener = self._listener.of(source.partition(" ")[0])
        batch_size, match_time, event_lag = self._of_listener(listener)
        batch_size.observe(size)
        match_time.observe(seconds)
        if events:
            event_lag.observe(max((now - events[0].generated).total_seconds(), 0.0))
        passed, dropped = Tally(map(_EVENT_TYPE, events)), size - len(events)
        if decisions:
            matched = _matched(decisions)
            elsewhere = _published_only(events, decisions)
            rejected = sum(1 for decided in decisions if decided.rejected)
            self._count(listener, "matched", matched)
            self._count(listener, "rejected", {"": rejected})
            passed = passed - matched + elsewhere
            dropped -= rejected + elsewhere.total()
        self._count(listener, "passed", passed)
        self._count(listener, "dropped", {"": dropped})

    @_raises_nothing
    def refused(self, source: str) -> None:
        """Count a refusal; see `Observer`."""
        self._count(self._listener.of(source.partition(" ")[0]), "refused", {"": 1})

    @_raises_nothing
    def committed(self, fired: int, seconds: float) -> None:
        """Count a commit; see `Observer`."""
        self.commit_time.observe(seconds)
        self.firings.inc(fired)

    @_raises_nothing
    def published(self, url: str, events: int, taken: bool) -> None:
        """Count a publication; see `Observer`."""
        outcome = "taken" if taken else "failed"
        self.publications.labels(self.sink(url), outcome).inc(events)

    @_raises_nothing
    def template_failed(self, file: str) -> None:
        """Count a template that was passed over; see `Observer`."""
        self.template_failures.labels(self._template.of(file)).inc()

    @_raises_nothing
    def user_without_address(self, user: str) -> None:
        """Count a user that was left out of a mail; see `Observer`."""
        self.without_address.labels(self._user.of(user)).inc()

    @_raises_nothing
    def attempted(
        self, to: str, outcome: str, seconds: float, since_fired: float, *, dead: bool
    ) -> None:
        """Count an attempt; see `Observer`."""
        known = self._receiver.of(to)
        attempts, attempt_time = self._of_attempts(known, outcome)
        attempts.inc()
        attempt_time.observe(seconds)
        if outcome == "delivered":
            self.delivery_delay.observe(max(since_fired, 0.0))
        if dead:
            self.dead_letters.labels(known).inc()

    @_raises_nothing
    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; see `Observer`."""
        known = self._route.of(route)
        self.requests.labels(self._method.of(method), known, str(status)).inc()
        self.request_time.labels(known).observe(seconds)

    @_raises_nothing
    def combined_into_digest(self, to: str, deliveries: int) -> None:
        """Count what was combined; see `Observer`."""
        self.combined.labels(self._receiver.of(to)).inc(deliveries)

    def breaker_of(self, to: str) -> Any:
        """The gauge of a receiver's breaker."""
        return self.breakers.labels(self._receiver.of(to))

    # --- looked up from time to time ---------------------------------------------------------

    def sink(self, url: str) -> str:
        """The label of a publisher's URL."""
        return self._publisher.of(receiver(url))

    def count_unconvertible(self, counts: Mapping[str, int], before: Mapping[str, int]) -> None:
        """Count by trait what came to `counts` since `before`."""
        for trait, count in counts.items():
            if (more := count - before.get(trait, 0)) > 0:
                self.unconvertible.labels(self._trait.of(trait)).inc(more)

    # --- labels ------------------------------------------------------------------------------

    def _of_listener(self, listener: str) -> tuple[Histogram, Histogram, Histogram]:
        known = self._histograms.get(listener)
        if known is None:
            families = self.batch_size, self.match_time, self.event_lag
            size, match, lag = (family.labels(listener) for family in families)
            known = self._histograms[listener] = (size, match, lag)
        return known

    def _of_attempts(self, receiver_: str, outcome: str) -> tuple[Counter, Histogram]:
        known = self._attempts.get((receiver_, outcome))
        if known is None:
            made = self.attempts.labels(receiver_, outcome), self.attempt_time.labels(receiver_)
            known = self._attempts[receiver_, outcome] = made
        return known

    def _count(self, listener: str, outcome: str, by_type: Mapping[str, int]) -> None:
        for event_type, count in by_type.items():
            if count > 0:
                self._counter_of(listener, outcome, event_type).inc(count)

    def _counter_of(self, listener: str, outcome: str, event_type: str) -> Counter:
        key = listener, outcome, event_type
        known = self._counters.get(key)
        if known is None:
            if len(self._counters) >= _KNOWN_TYPES:
                self._counters.clear()
            event_class = self._event_class.of(event_type.partition(".")[0][:_LONGEST_CLASS])
            known = self._counters[key] = self.events.labels(listener, event_class, outcome)
        return known


def _matched(decisions: Sequence[Any]) -> Tally[str]:
    """How many events of each type an alarm may fire for."""
    events = {id(each.event): each.event.event_type for each in decisions if each.alarm_id}
    return Tally(events.values())


def _published_only(events: Sequence[Event], decisions: Sequence[Any]) -> Tally[str]:
    """How many events of each type go to sinks and not to the alarms."""
    published = [each.event for each in decisions if each.publishers]
    if not published:
        return Tally()
    for_alarms = set(map(id, events))
    return Tally(event.event_type for event in published if id(event) not in for_alarms)
