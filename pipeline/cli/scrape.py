"""What a process says of itself at /metrics, and what it did between two looks.

Read by `tocsin top`; asks one page, within a time-out, and keeps nothing but the numbers.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from time import monotonic

from pipeline.errors import InvalidValue
from pipeline.health import MetricsSettings, ports
from pipeline.masking import mask_url

_TIMEOUT_SECONDS = 3.0
_LARGEST_PAGE = 16 * 1024 * 1024
_ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses to listen on that mean all, and the one at which this machine finds itself."""


@dataclass(frozen=True, slots=True)
class Page:
    """One look: every `tocsin_` metric by name, its series added up; some by one label too."""

    taken_at: float = 0.0
    totals: Mapping[str, float] = field(default_factory=dict)
    by_outcome: Mapping[tuple[str, str], float] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Between:
    """What happened between two looks, a second or one event at a time."""

    events_per_second: float
    matched_per_second: float
    firings_per_second: float
    attempts_per_second: dict[str, float]
    lag_seconds: float | None
    match_microseconds: float | None


def nearby(settings: MetricsSettings) -> Sequence[str]:
    """Where processes with these settings serve their pages on this machine, if they run."""
    host = _ALL.get(settings.host, settings.host)
    shown = f"[{host}]" if ":" in host else host
    return [f"http://{shown}:{port}" for port in ports(settings) if port]


def look(url: str) -> Page:
    """The page of the process at `url`, with or without /metrics.

    A process that does not answer gives a page with a `problem`. Raises `InvalidValue` for what is
    no http URL.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidValue(f"{url!r} is not http://HOST:PORT of a process's /metrics.", "--url")
    from prometheus_client.parser import text_string_to_metric_families

    page = url if url.rstrip("/").endswith("/metrics") else url.rstrip("/") + "/metrics"
    totals: defaultdict[str, float] = defaultdict(float)
    by_outcome: defaultdict[tuple[str, str], float] = defaultdict(float)
    try:
        with urllib.request.urlopen(page, timeout=_TIMEOUT_SECONDS) as response:
            text = response.read(_LARGEST_PAGE).decode("utf-8", "replace")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                totals[sample.name] += sample.value
                if "outcome" in sample.labels:
                    by_outcome[sample.name, sample.labels["outcome"]] += sample.value
    except (OSError, ValueError, HTTPException) as error:
        cause = getattr(error, "reason", None) or error
        reason = getattr(cause, "strerror", None) or cause
        return Page(monotonic(), problem=f"no metrics from {mask_url(page)}: {reason}")
    return Page(monotonic(), totals, by_outcome)


def between(before: Page, now: Page) -> Between:
    """What happened between the two looks at one process."""
    seconds = max(now.taken_at - before.taken_at, 0.001)

    def more(name: str) -> float:
        return max(now.totals.get(name, 0) - before.totals.get(name, 0), 0.0)

    def rate(name: str, outcome: str) -> float:
        key = name, outcome
        return max(now.by_outcome.get(key, 0) - before.by_outcome.get(key, 0), 0) / seconds

    messages = more("tocsin_batch_messages_sum")
    batches = more("tocsin_event_lag_seconds_count")
    outcomes = ("delivered", "failed", "refused")
    return Between(
        events_per_second=more("tocsin_events_total") / seconds,
        matched_per_second=rate("tocsin_events_total", "matched"),
        firings_per_second=more("tocsin_firings_total") / seconds,
        attempts_per_second={
            name: rate("tocsin_delivery_attempts_total", name) for name in outcomes
        },
        lag_seconds=more("tocsin_event_lag_seconds_sum") / batches if batches else None,
        match_microseconds=(
            more("tocsin_match_seconds_sum") / messages * 1e6 if messages else None
        ),
    )
