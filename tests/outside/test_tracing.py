"""A message's trace goes on through the store to the callback; without tracing nothing changes."""

from __future__ import annotations

import builtins
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pipeline import yaml_source
from pipeline.alarms.live import LiveAlarms
from pipeline.errors import InvalidValue
from pipeline.feed import AlarmFeed
from pipeline.listeners.base import Message
from pipeline.normalise import Normaliser, NormaliseSettings, compiled
from pipeline.notifier import Notifier
from pipeline.receiver import Callback, Receiver
from pipeline.routing import RoutingSettings, load_routes
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets import Targets
from pipeline.targets.base import Tools
from pipeline.targets.settings import DeliverySettings
from pipeline.tracing import Tracing, TracingSettings, carried, switched_on
from pipeline.worker import Worker

from builders import NOON, a_rule, an_alarm

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def body(event_type: str = "demo.made") -> bytes:
    notification = {
        "message_id": "m-1",
        "publisher_id": "me",
        "event_type": event_type,
        "priority": "INFO",
        "payload": {},
        "timestamp": "2026-01-02 12:00:00.000000",
    }
    return json.dumps(notification).encode()


class NoSinks:
    """Nothing is published."""

    def publish(self, batch: Any) -> list[Any]:
        pytest.fail(f"published: {batch}")

    def kept(self, publications: Any) -> None:
        pytest.fail(f"kept: {publications}")


class Line:
    """A worker, a store and a notifier, with spans kept in memory."""

    def __init__(self, store: SqlStore, listening: Tracing, notifying: Tracing) -> None:
        self.store, log = store, structlog.get_logger()
        alarms = LiveAlarms()
        self.feed = AlarmFeed(store, alarms, refresh_seconds=1, log=log)
        definitions = yaml_source.load_file(NormaliseSettings().file)
        self.worker = Worker(
            normaliser=Normaliser(compiled(definitions)),
            routes=load_routes(yaml_source.load_file(RoutingSettings().file), lambda url: None),
            sinks=NoSinks(),
            alarms=alarms,
            store=store,
            clock=lambda: NOON,
            log=log,
            tracing=listening,
        )
        settings = DeliverySettings()
        self.notifier = Notifier(
            outbox=store,
            targets=Targets(Tools.by(settings, lambda: NOON, log)),
            settings=settings,
            clock=lambda: NOON,
            random=lambda: 0.0,
            log=log,
            tracing=notifying,
        )

    def send(self, message: Message) -> Callback | None:
        """Take the message in and deliver what it causes; the callback."""
        with Receiver() as receiver:
            self.store.create(an_alarm(rule=a_rule("demo.*"), all_projects=True,
                                       alarm_actions=(receiver.url,)))  # fmt: skip
            self.feed.load()
            if (decisions := self.worker.decide([message])) is not None:
                self.worker.commit(decisions)
            made = self.notifier.run_once()
            return receiver.callbacks[0] if made else None


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Iterator[Tracing]:
    tracing = switched_on(TracingSettings(enabled=True), "1", exporter)
    yield tracing
    tracing.close()


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), clock=lambda: NOON) as store:
        yield store


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name.split(" ")[0]: span for span in exporter.get_finished_spans()}


def test_trace_goes_from_the_message_to_the_callback(
    store: SqlStore, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    headers = {"traceparent": PARENT, "tracestate": "vendor=1, other=2"}
    callback = Line(store, tracing, tracing).send(Message(body(), headers=headers))
    assert callback is not None
    spans = by_name(exporter)
    assert set(spans) == {"process", "match", "commit", "deliver"}
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {TRACE}
    process = spans["process"].context.span_id
    assert f"{spans['process'].parent.span_id:016x}" == "00f067aa0ba902b7"
    assert {spans[name].parent.span_id for name in ("match", "commit", "deliver")} == {process}
    deliver = f"{spans['deliver'].context.span_id:016x}"
    assert callback.headers["traceparent"] == f"00-{TRACE}-{deliver}-01"
    assert callback.headers["tracestate"] == "vendor=1,other=2"
    assert spans["deliver"].attributes["tocsin.delivery.outcome"] == "delivered"


def test_notifier_that_does_not_trace_passes_the_context_on(
    store: SqlStore, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    message = Message(body(), headers={"traceparent": PARENT})
    callback = Line(store, tracing, Tracing()).send(message)
    assert callback is not None
    process = f"{by_name(exporter)['process'].context.span_id:016x}"
    assert callback.headers["traceparent"] == f"00-{TRACE}-{process}-01"


def test_event_that_fires_nothing_makes_no_span(
    store: SqlStore, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    message = Message(body("other.made"), headers={"traceparent": PARENT})
    assert Line(store, tracing, tracing).send(message) is None
    assert not exporter.get_finished_spans()


def test_callback_without_tracing_has_no_trace_headers(store: SqlStore) -> None:
    message = Message(body(), headers={"traceparent": PARENT})
    callback = Line(store, Tracing(), Tracing()).send(message)
    assert callback is not None
    assert not {"traceparent", "tracestate"} & callback.headers.keys()


@pytest.mark.parametrize(
    ("headers", "content_type", "document"),
    [
        ({"traceparent": PARENT}, None, {}),
        ({"ce-specversion": "1.0", "ce-traceparent": PARENT}, "application/json", {}),
        ({"cloudEvents:traceparent": PARENT.encode()}, None, {}),
        (None, "application/cloudevents+json; charset=utf-8", {"traceparent": PARENT}),
    ],
)
def test_context_is_found_where_the_transports_carry_it(
    headers: Mapping[str, Any] | None, content_type: str | None, document: dict[str, str]
) -> None:
    assert carried(headers, content_type, json.dumps(document).encode()) == PARENT


def test_context_that_is_none_begins_a_trace_of_its_own(
    store: SqlStore, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    message = Message(body(), headers={"traceparent": "not; a\r\ncontext", "tracestate": "\0"})
    callback = Line(store, tracing, tracing).send(message)
    assert callback is not None
    assert by_name(exporter)["process"].parent is None
    assert callback.headers["traceparent"].startswith("00-")


def test_missing_extra_is_named_when_tracing_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InvalidValue, match=r"pip install 'tocsin\[otel\]'"):
        switched_on(TracingSettings(enabled=True), "1")


def test_collector_that_is_away_holds_nothing_up(store: SqlStore) -> None:
    settings = TracingSettings(
        enabled=True, endpoint="http://127.0.0.1:9/v1/traces", timeout_seconds=0.2
    )
    tracing = switched_on(settings, "1")
    callback = Line(store, tracing, tracing).send(Message(body()))
    assert callback is not None
    closing = threading.Thread(target=tracing.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
