"""Writes docs/metrics.md from the code and the alert rules. A test holds the page against them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.metrics import MetricWrapperBase

from pipeline.metrics import Metrics

PAGE = Path(__file__).parent / "metrics.md"
ALERTS = PAGE.parents[1] / "deploy" / "prometheus" / "alerts.yaml"

_HEAD = """\
# Metrics, health and traces

Made from the code by `python docs/make_metrics.py`; do not edit.

Every process serves, on loopback and from port 9464 on (settings `metrics.*`):

- `/metrics`: what it counts, for Prometheus.
- `/healthz`, for a liveness probe: 503 when a part of the process has ended or is stuck, so that
  only a new start helps. A database or broker that is away is no reason.
- `/readyz`, for a readiness probe: 503 until the alarms are loaded, while the database or a broker
  cannot be reached, and while the process is ending. Its answer says why.

Several processes on one machine take the next free ports, up to 9479; set `metrics.port` where it
must be known beforehand. The parent of `--workers N` serves one page with the sum over its
workers; they themselves serve none. `tocsin top --url http://HOST:PORT` shows a process live.

The pages ask for no password and hold no secret: receivers and sinks appear as scheme, host and
port. Every label is bounded: 64 classes of events, 100 receivers, 100 sinks, 100 traits, 50
templates; what is beyond is counted as `other`. Events are counted once a batch. Each process
reports the metrics
`tocsin_store_…` and `tocsin_oldest_due_seconds` of the database that all share: take their `max`,
not their sum.

`deploy/prometheus/alerts.yaml` has the alert rules below, `deploy/grafana/tocsin.json` a
dashboard.

## Metrics
"""

_TRACES = """\
## Traces

`pip install 'tocsin[otel]'` and `tracing.enabled: true` send traces by OTLP over HTTP. Only what
may fire is traced: a message that no alarm asks for makes no span, however many there are. The
spans are `process EVENT_TYPE` (a child of the message's own trace, if its headers or its
CloudEvent attributes carry a W3C `traceparent`), within it `match` and `commit`, and `deliver
RECEIVER` for each attempt. The context is kept with the notification, so it survives a crash and
any delay, and goes to the receiver as `traceparent` and `tracestate`. `tracing.sample_ratio`
thins out the traces that begin here; a producer's own decision goes before.
"""


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *_metrics(), *_alerts(), _TRACES])


def metrics() -> list[MetricWrapperBase]:
    """Every metric of the code, in its order."""
    return [each for each in vars(Metrics()).values() if isinstance(each, MetricWrapperBase)]


def full_name(metric: Any) -> str:
    """The name under which Prometheus knows it."""
    return f"{metric._name}_total" if metric._type == "counter" else str(metric._name)


def _metrics() -> Iterator[str]:
    yield from ("| metric | labels | what it is |", "| --- | --- | --- |")
    for metric in metrics():
        wrapped: Any = metric
        labels = ", ".join(f"`{label}`" for label in wrapped._labelnames)
        text = wrapped._documentation.replace("|", "\\|")
        yield f"| `{full_name(metric)}` ({wrapped._type}) | {labels} | {text} |"
    yield ""
    yield "Beside these: `process_…`, what Prometheus's client knows of CPU, memory and files."
    yield ""


def _alerts() -> Iterator[str]:
    yield from ("## What to alert on", "", "| alert | when | what to do |", "| --- | --- | --- |")
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            expression = rule["expr"].replace("|", "\\|")
            lasting = f" for {rule['for']}" if "for" in rule else ""
            advice = rule["annotations"]["description"].replace("|", "\\|")
            severity = rule["labels"]["severity"]
            yield f"| `{rule['alert']}` ({severity}) | `{expression}`{lasting} | {advice} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
