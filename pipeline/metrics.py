"""Metrics: what a process counts of its work, in the form that Prometheus reads.

One `Metrics`, with a registry of its own, for each process: made by the composition root and
handed to the parts as their `Observer`. It counts whole batches, so that an event that fires
nothing costs a fraction of a microsecond. Every label is bounded: whatever comes beyond the bound
is counted as `other`. No label holds a secret: receivers and sinks appear as scheme, host and
port.

With PROMETHEUS_MULTIPROC_DIR in the environment before this module is imported, all values live in
files of that directory, and `aggregate` gives the sum over all processes that write there: so the
parent of several workers serves one page for all. Serves nothing itself: `pipeline.exposition`.
"""

from __future__ import annotations

import threading
from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import wraps
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from pipeline import __version__
from pipeline.dispatch import receiver
from pipeline.observer import Observer

if TYPE_CHECKING:
    from pipeline.event import Event

Tell = TypeVar("Tell", bound=Callable[..., None])

OTHER = "other"
_CLASSES, _LISTENERS, _RECEIVERS, _TEMPLATES, _TRAITS, _KNOWN_TYPES = 64, 16, 100, 50, 100, 4_096
_ROUTES, _METHODS = 200, 10

_LONGEST_CLASS = 40

_EVENT_TYPE = itemgetter(1)
"""An event's type by its place, which is the quickest way to it (`pipeline.event.Event`)."""

_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_LONG = (0.01, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200, 86_400)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


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


class Metrics(Observer):
    """All metrics of one process. Each attribute is one of them, named after it."""

    has_failed = False

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"tocsin_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"tocsin_{name}", text, labels, registry=registry, buckets=buckets)

        def gauge(name: str, text: str, mode: Any, *labels: str) -> Gauge:
            return Gauge(f"tocsin_{name}", text, labels, registry=registry, multiprocess_mode=mode)

        # --- events in
        self.events = counter(
            "events_total",
            "Events by listener, by class (the first part of the event type) and by outcome: "
            "passed (no alarm asks for it), matched (an alarm may fire), rejected (not "
            "understood, kept as a rejected event), refused (not understood, the sender told) or "
            "dropped (no definition or route takes it).",
            *("listener", "event_class", "outcome"),
        )
        self.event_lag = histogram(
            "event_lag_seconds",
            "How old the first event of a batch was when it was decided on: now less its "
            "`generated`. Grows while events wait in the queue.",
            _LONG,
            "listener",
        )
        self.batch_size = histogram("batch_messages", "Messages in a batch.", _SIZES, "listener")
        self.match_time = histogram(
            "match_seconds",
            "How long a batch took to be opened, normalised, routed and matched.",
            _QUICK,
            "listener",
        )
        self.commit_time = histogram(
            "commit_seconds",
            "How long what a batch causes took to be written down, waiting for the database "
            "included.",
            _QUICK,
        )
        self.firings = counter("firings_total", "Alarms that fired.")
        self.unconvertible = counter(
            "unconvertible_traits_total",
            "Values that were left out of an event because they did not convert, by trait.",
            "trait",
        )
        self.publications = counter(
            "published_events_total",
            "Events handed to sinks, by sink and by outcome: taken, or failed (kept in the store "
            "and published again).",
            *("publisher", "outcome"),
        )
        self.connection = gauge(
            "connection_up", "1 while the listener is connected to its broker.", "livemin", "peer"
        )
        self.queue = gauge(
            "queue_messages",
            "Messages that wait in a queue that is listened to, as last asked: on AMQP "
            "brokers, on Redis and in folders.",
            "livemostrecent",
            *("peer", "queue"),
        )

        # --- alarms
        self.alarms = gauge("alarms_loaded", "Alarms that events are matched against.", "livemin")
        self.alarms_broken = gauge(
            "alarms_broken", "Alarms whose rule cannot be used; the log names them.", "livemax"
        )
        self.alarms_revision = gauge(
            "alarms_revision", "The newest change of an alarm that is in force here.", "livemin"
        )
        self.costliest = gauge(
            "alarms_scanned_most",
            "How many alarms the costliest event type makes a listener look at one by one; "
            "`tocsin status --costly` names them.",
            "livemax",
        )

        # --- deliveries
        self.attempts = counter(
            "delivery_attempts_total",
            "Attempts to deliver, by receiver and by outcome: delivered, refused, failed, or "
            "in-progress, which looks at what the receiver is at.",
            *("receiver", "outcome"),
        )
        self.attempt_time = histogram(
            "delivery_seconds", "How long an attempt to deliver took.", _SLOW, "receiver"
        )
        self.delivery_delay = histogram(
            "notification_delay_seconds", "From the firing to the delivery's arrival.", _LONG
        )
        self.dead_letters = counter(
            "dead_letters_total", "Deliveries that were given up, by receiver.", "receiver"
        )
        self.combined = counter(
            "deliveries_combined_total",
            "Deliveries that were combined into a digest, by receiver.",
            "receiver",
        )
        self.template_failures = counter(
            "template_failures_total",
            "Templates that failed and were passed over, by file; the log says why.",
            "template",
        )

        # --- the API
        self.requests = counter(
            "api_requests_total",
            "Requests to the API, by method, route and status.",
            *("method", "route", "status"),
        )
        self.request_time = histogram(
            "api_request_seconds", "How long a request to the API took.", _QUICK, "route"
        )

        # --- the store
        self.store_up = gauge("store_up", "1 while the database answers this process.", "livemin")
        self.deliveries = gauge(
            "store_deliveries",
            "Deliveries in the store that are pending or dead. Counted up to 100,000.",
            "livemostrecent",
            "state",
        )
        self.oldest_due = gauge(
            "oldest_due_seconds",
            "For how long the delivery that has waited longest is overdue.",
            "livemostrecent",
        )
        self.rejected = gauge(
            "store_rejected_events",
            "Rejected events in the store. Counted up to 100,000.",
            "livemostrecent",
        )
        self.unpublished = gauge(
            "store_unpublished",
            "Publications that a sink has not taken yet, by sink. Counted up to 10,000.",
            "livemostrecent",
            "publisher",
        )
        self.disabled = gauge(
            "store_disabled_actions",
            "Actions that take nothing any more: their receiver answered 410, or only failed for "
            "days.",
            "livemostrecent",
        )
        self.breakers = gauge(
            "receiver_breaker",
            "2 while nothing goes to a receiver that fails, 1 while one delivery tries it, 0 "
            "while it is only watched.",
            "livemostrecent",
            "receiver",
        )

        # --- the process
        self.ready = gauge("ready", "1 while the process is ready, as /readyz says.", "livemin")
        self.silent = gauge(
            "part_silent_seconds",
            "For how long a part of the process has not come round its loop.",
            "livemax",
            "part",
        )
        self.build = gauge("build_info", "1; the version is in the label.", "livemax", "version")
        self.build.labels(__version__).set(1)

        self._event_class = _Bounded(_CLASSES)
        self._listener = _Bounded(_LISTENERS)
        self._receiver = _Bounded(_RECEIVERS)
        self._template = _Bounded(_TEMPLATES)
        self._trait = _Bounded(_TRAITS)
        self._publisher = _Bounded(_RECEIVERS)
        self._route, self._method = _Bounded(_ROUTES), _Bounded(_METHODS)
        # What `labels` gives, kept: to look it up takes longer than to count.
        self._counters: dict[tuple[str, str, str], Counter] = {}
        self._histograms: dict[str, tuple[Histogram, Histogram, Histogram]] = {}

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
    def attempted(
        self, to: str, outcome: str, seconds: float, since_fired: float, *, dead: bool
    ) -> None:
        """Count an attempt; see `Observer`."""
        known = self._receiver.of(to)
        self.attempts.labels(known, outcome).inc()
        self.attempt_time.labels(known).observe(seconds)
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

    def _count(self, listener: str, outcome: str, by_type: Mapping[str, int]) -> None:
        for event_type, count in by_type.items():
            if count > 0:
                self._counter(listener, outcome, event_type).inc(count)

    def _counter(self, listener: str, outcome: str, event_type: str) -> Counter:
        key = listener, outcome, event_type
        known = self._counters.get(key)
        if known is None:
            if len(self._counters) >= _KNOWN_TYPES:
                self._counters.clear()
            event_class = self._event_class.of(event_type.partition(".")[0][:_LONGEST_CLASS])
            known = self._counters[key] = self.events.labels(listener, event_class, outcome)
        return known


def aggregate(directory: str) -> CollectorRegistry:
    """A registry over all processes that keep their values in the directory.

    For the parent of several workers: it makes the directory, starts each worker with
    PROMETHEUS_MULTIPROC_DIR set to it, serves this registry, and tells `forget` of each worker
    that has ended.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
    return registry


def forget(pid: int, directory: str) -> None:
    """A worker has ended: what it was the last to say counts no more; its sums stay."""
    mark_process_dead(pid, directory)  # type: ignore[no-untyped-call]


class _Bounded:
    """The first so many values of a label as they are; the others as `other`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def of(self, value: str) -> str:
        if value in self._known:
            return value
        # What UTF-8 cannot say would spoil the whole page.
        value = value.encode("utf-8", "replace").decode()
        with self._lock:
            if value not in self._known and len(self._known) >= self._limit:
                return OTHER
            self._known.add(value)
        return value


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
