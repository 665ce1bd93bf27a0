"""The metrics that a process has: their names, what they tell, their labels and buckets.

Declares and counts nothing. `docs/make_metrics.py` makes the page for people of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from pipeline import __version__

_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_LONG = (0.01, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200, 86_400)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


class Families:
    """Each attribute is one metric, named after it, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._events_in()
        self._of_alarms()
        self._of_deliveries()
        self._of_the_api()
        self._of_the_store()
        self._of_the_process()

    def _events_in(self) -> None:
        self.events = self._counted(
            "events_total",
            "Events by listener, by class (the first part of the event type) and by outcome: "
            "passed (no alarm asks for it), matched (an alarm may fire), rejected (not "
            "understood, kept as a rejected event), refused (not understood, the sender told) or "
            "dropped (no definition or route takes it).",
            *("listener", "event_class", "outcome"),
        )
        self.event_lag = self._spread(
            "event_lag_seconds",
            "How old the first event of a batch was when it was decided on: now less its "
            "`generated`. Grows while events wait in the queue.",
            _LONG,
            "listener",
        )
        self.batch_size = self._spread(
            "batch_messages", "Messages in a batch.", _SIZES, "listener"
        )
        self.match_time = self._spread(
            "match_seconds",
            "How long a batch took to be opened, normalised, routed and matched.",
            _QUICK,
            "listener",
        )
        self.commit_time = self._spread(
            "commit_seconds",
            "How long what a batch causes took to be written down, waiting for the database "
            "included.",
            _QUICK,
        )
        self.firings = self._counted("firings_total", "Alarms that fired.")
        self.unconvertible = self._counted(
            "unconvertible_traits_total",
            "Values that were left out of an event because they did not convert, by trait.",
            "trait",
        )
        self.publications = self._counted(
            "published_events_total",
            "Events handed to sinks, by sink and by outcome: taken, or failed (kept in the store "
            "and published again).",
            *("publisher", "outcome"),
        )
        self.connection = self._level(
            "connection_up", "1 while the listener is connected to its broker.", "livemin", "peer"
        )
        self.queue = self._level(
            "queue_messages",
            "Messages that wait in a queue that is listened to, as last asked: on AMQP "
            "brokers, on Redis and in folders.",
            "livemostrecent",
            *("peer", "queue"),
        )

    def _of_alarms(self) -> None:
        self.alarms = self._level(
            "alarms_loaded", "Alarms that events are matched against.", "livemin"
        )
        self.alarms_broken = self._level(
            "alarms_broken", "Alarms whose rule cannot be used; the log names them.", "livemax"
        )
        self.alarms_revision = self._level(
            "alarms_revision", "The newest change of an alarm that is in force here.", "livemin"
        )
        self.costliest = self._level(
            "alarms_scanned_most",
            "How many alarms the costliest event type makes a listener look at one by one; "
            "`tocsin status --costly` names them.",
            "livemax",
        )

    def _of_deliveries(self) -> None:
        self.attempts = self._counted(
            "delivery_attempts_total",
            "Attempts to deliver, by receiver and by outcome: delivered, refused, failed, or "
            "in-progress, which looks at what the receiver is at.",
            *("receiver", "outcome"),
        )
        self.attempt_time = self._spread(
            "delivery_seconds", "How long an attempt to deliver took.", _SLOW, "receiver"
        )
        self.delivery_delay = self._spread(
            "notification_delay_seconds", "From the firing to the delivery's arrival.", _LONG
        )
        self.dead_letters = self._counted(
            "dead_letters_total", "Deliveries that were given up, by receiver.", "receiver"
        )
        self.combined = self._counted(
            "deliveries_combined_total",
            "Deliveries that were combined into a digest, by receiver.",
            "receiver",
        )
        self.template_failures = self._counted(
            "template_failures_total",
            "Templates that failed and were passed over, by file; the log says why.",
            "template",
        )
        self.without_address = self._counted(
            "mail_users_without_address_total",
            "Mails that a user was left out of, as no address is known; `delivery.mail_users`.",
            "user",
        )

    def _of_the_api(self) -> None:
        self.requests = self._counted(
            "api_requests_total",
            "Requests to the API, by method, route and status.",
            *("method", "route", "status"),
        )
        self.request_time = self._spread(
            "api_request_seconds", "How long a request to the API took.", _QUICK, "route"
        )

    def _of_the_store(self) -> None:
        self.store_up = self._level(
            "store_up", "1 while the database answers this process.", "livemin"
        )
        self.deliveries = self._level(
            "store_deliveries",
            "Deliveries in the store that are pending or dead. Counted up to 100,000.",
            "livemostrecent",
            "state",
        )
        self.oldest_due = self._level(
            "oldest_due_seconds",
            "For how long the delivery that has waited longest is overdue.",
            "livemostrecent",
        )
        self.rejected = self._level(
            "store_rejected_events",
            "Rejected events in the store. Counted up to 100,000.",
            "livemostrecent",
        )
        self.unpublished = self._level(
            "store_unpublished",
            "Publications that a sink has not taken yet, by sink. Counted up to 10,000.",
            "livemostrecent",
            "publisher",
        )
        self.disabled = self._level(
            "store_disabled_actions",
            "Actions that take nothing any more: their receiver answered 410, or only failed for "
            "days.",
            "livemostrecent",
        )
        self.breakers = self._level(
            "receiver_breaker",
            "2 while nothing goes to a receiver that fails, 1 while one delivery tries it, 0 "
            "while it is only watched.",
            "livemostrecent",
            "receiver",
        )

    def _of_the_process(self) -> None:
        self.ready = self._level(
            "ready", "1 while the process is ready, as /readyz says.", "livemin"
        )
        self.silent = self._level(
            "part_silent_seconds",
            "For how long a part of the process has not come round its loop.",
            "livemax",
            "part",
        )
        self.build = self._level(
            "build_info", "1; the version is in the label.", "livemax", "version"
        )
        self.build.labels(__version__).set(1)

    def _counted(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"tocsin_{name}", text, labels, registry=self.registry)

    def _spread(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"tocsin_{name}", text, labels, registry=self.registry, buckets=buckets)

    def _level(self, name: str, text: str, mode: Any, *labels: str) -> Gauge:
        return Gauge(
            f"tocsin_{name}", text, labels, registry=self.registry, multiprocess_mode=mode
        )
