"""Tracing: the trace of a message, from its arrival to the callbacks that it caused.

`Tracing` is what the parts are handed; this one traces nothing and costs nothing. `switched_on`
gives one that sends spans by OpenTelemetry (the extra `otel`), OTLP over HTTP. Only what may fire
is traced: a message that no alarm asks for makes no span, however many there are.

    process EVENT_TYPE    from the batch's arrival to its commit; child of the message's own trace
    ├── match             open, normalise, route, match: the whole batch
    ├── commit            written down
    └── deliver RECEIVER  each attempt; its context goes to the receiver as `traceparent`

The context of a message is in its transport's headers (`traceparent`, `tracestate`: W3C Trace
Context), or in a CloudEvent's attributes. From the commit to the delivery, which may be another
process and days later, it is kept with the notification, as `TRACEPARENT TRACESTATE`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from time import time_ns
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from pipeline.dispatch import receiver
from pipeline.errors import InvalidValue
from pipeline.notification import outcome_name
from pipeline.options import option

if TYPE_CHECKING:
    from pipeline.alarms.alarm import Transition
    from pipeline.notification import Delivery, Outcome

Decisions = TypeVar("Decisions")

PARENT, STATE = "traceparent", "tracestate"
_HEADERS = ("", "ce-", "cloudEvents:", "cloudEvents_", "ce_")


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """The settings `tracing.*`."""

    enabled: bool = option(
        False,
        "Send traces by OpenTelemetry, from a message to the callbacks that it caused. Needs "
        "`pip install 'tocsin[otel]'`.",
    )
    endpoint: str = option(
        "http://127.0.0.1:4318/v1/traces",
        "Where they are sent, by OTLP over HTTP. The variables OTEL_EXPORTER_OTLP_… say more.",
    )
    service_name: str = option("tocsin", "The service that the traces name.")
    sample_ratio: float = option(
        1.0,
        "Which part of the traces that begin here is sent, from 0 to 1. What the trace of a "
        "message says about that goes before.",
        minimum=0,
    )
    timeout_seconds: float = option(5.0, "How long to wait for the collector.", minimum=0.1)


class Tracing:
    """Traces nothing. The base of who does, and the default of every part."""

    def decided(self, decisions: list[Any], seconds: float) -> list[Any]:
        """What a batch causes (`pipeline.worker.Decided`), which took so long to be decided."""
        return decisions

    def commit(self, decisions: Sequence[Any]) -> AbstractContextManager[None]:
        """Around the commit of these decisions."""
        return nullcontext()

    def marked(self, transitions: list[Transition], decisions: Sequence[Any]) -> list[Transition]:
        """The transitions, each with the context of the trace that it belongs to."""
        return transitions

    def delivery(self, delivery: Delivery) -> AbstractContextManager[_Attempt]:
        """Around an attempt: what to deliver, with the context to pass on."""
        return nullcontext(_Attempt(delivery))

    def close(self) -> None:
        """Send what is held."""


class _Attempt:
    """A delivery within its span. Tell it the outcome."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery

    def ended(self, outcome: Outcome) -> None:
        """How it went."""


def trace_headers(context: str) -> dict[str, str]:
    """The W3C headers of a kept context; none where there is none."""
    parent, _, state = context.partition(" ")
    headers = {PARENT: parent} if parent else {}
    return headers | ({STATE: state} if state else {})


def carried(headers: Mapping[str, Any] | None, content_type: str | None, body: bytes) -> str:
    """The context that a message carries, as it is kept; `''` for none."""
    for prefix in _HEADERS:
        if parent := _text((headers or {}).get(prefix + PARENT)):
            return f"{parent} {_text((headers or {}).get(prefix + STATE))}".strip()
    if content_type and content_type.startswith("application/cloudevents"):
        try:
            event = orjson.loads(body)
        except ValueError:
            return ""
        if isinstance(event, dict) and isinstance(event.get(PARENT), str):
            return f"{event[PARENT]} {_text(event.get(STATE))}".strip()
    return ""


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return value if isinstance(value, str) else ""


def expect_installed() -> None:
    """Raise `InvalidValue` where OpenTelemetry is not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.sampling  # noqa: F401 - both are only tried
    except ImportError as error:
        raise InvalidValue(
            f"tracing.enabled: OpenTelemetry is not installed ({error.name} is missing). Run "
            "pip install 'tocsin[otel]', or set tracing.enabled to false.",
            "tracing.enabled",
        ) from error


def switched_on(settings: TracingSettings, version: str, exporter: Any = None) -> Tracing:
    """Tracing as the settings say. Raises `InvalidValue` where OpenTelemetry is not installed.

    `exporter` takes the spans in place of the OTLP exporter, each as it ends.
    """
    expect_installed()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider, export
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    sampler = ParentBased(TraceIdRatioBased(min(settings.sample_ratio, 1.0)))
    resource = Resource.create({"service.name": settings.service_name, "service.version": version})
    provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    if exporter is None:
        sender = OTLPSpanExporter(settings.endpoint, timeout=settings.timeout_seconds)
        provider.add_span_processor(export.BatchSpanProcessor(sender))
    else:
        provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    return _OpenTelemetry(provider)


class _OpenTelemetry(Tracing):
    def __init__(self, provider: Any) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace, self._provider = trace, provider
        self._tracer = provider.get_tracer("tocsin")
        self._propagator = TraceContextTextMapPropagator()

    def decided(self, decisions: list[Any], seconds: float) -> list[Any]:
        now = time_ns()
        began = now - round(seconds * 1e9)
        spans: dict[int, Any] = {}
        traced = []
        for decided in decisions:
            if decided.alarm_id:
                known = spans.get(id(decided.event))
                if known is None:
                    known = spans[id(decided.event)] = self._process_span(decided, began, now)
                decided = decided._replace(span=known)
            traced.append(decided)
        return traced

    @contextmanager
    def commit(self, decisions: Sequence[Any]) -> Iterator[None]:
        spans = {id(d.span): d.span for d in decisions if d.span is not None}.values()
        began = time_ns()
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            now = time_ns()
            for span in spans:
                self._part("commit", span, began, now)
                if error is not None:
                    span.set_status(self._trace.StatusCode.ERROR, type(error).__name__)
                span.end(now)

    def marked(self, transitions: list[Transition], decisions: Sequence[Any]) -> list[Transition]:
        spans = {id(d.event): d.span for d in decisions if d.span is not None}
        return [
            replace(each, trace=self._kept(spans[id(each.event)]))
            if id(each.event) in spans
            else each
            for each in transitions
        ]

    @contextmanager
    def delivery(self, delivery: Delivery) -> Iterator[_Attempt]:
        who = receiver(delivery.action)
        attributes = {
            "server.address": who,
            "tocsin.alarm.id": delivery.notification.alarm_id,
            "tocsin.delivery.id": delivery.delivery_id,
            "tocsin.delivery.attempt": delivery.attempts + 1,
        }
        span = self._tracer.start_span(
            f"deliver {who}",
            self._context(delivery.trace),
            kind=self._trace.SpanKind.CLIENT,
            attributes=attributes,
        )
        try:
            yield _TracedAttempt(replace(delivery, trace=self._kept(span)), span)
        finally:
            span.end()

    def close(self) -> None:
        self._provider.shutdown()

    def _process_span(self, decided: Any, began: int, now: int) -> Any:
        message, event = decided.message, decided.event
        context = self._context(carried(message.headers, message.content_type, message.body))
        attributes = {
            "messaging.operation.type": "process",
            "messaging.message.id": event.message_id,
            "messaging.destination.name": message.source,
            "tocsin.event.type": event.event_type,
        }
        span = self._tracer.start_span(
            f"process {event.event_type}",
            context,
            kind=self._trace.SpanKind.CONSUMER,
            attributes=attributes,
            start_time=began,
        )
        self._part("match", span, began, now)
        return span

    def _part(self, name: str, of: Any, began: int, ended: int) -> None:
        context = self._trace.set_span_in_context(of)
        self._tracer.start_span(name, context, start_time=began).end(ended)

    def _context(self, kept: str) -> Any:
        from opentelemetry.context import Context

        return self._propagator.extract(trace_headers(kept), Context())

    def _kept(self, span: Any) -> str:
        headers: dict[str, str] = {}
        self._propagator.inject(headers, self._trace.set_span_in_context(span))
        return f"{headers.get(PARENT, '')} {headers.get(STATE, '')}".strip()


class _TracedAttempt(_Attempt):
    def __init__(self, delivery: Delivery, span: Any) -> None:
        super().__init__(delivery)
        self._span = span

    def ended(self, outcome: Outcome) -> None:
        self._span.set_attribute("tocsin.delivery.outcome", outcome_name(outcome))
        if outcome.status is not None:
            self._span.set_attribute("http.response.status_code", outcome.status)
        if reason := getattr(outcome, "reason", ""):
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR, reason)
