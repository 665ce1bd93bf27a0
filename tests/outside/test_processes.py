"""Real processes as Prometheus and a supervisor see them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.receiver import Receiver
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import a_rule, a_transition, an_alarm
from processes import TocsinProcess
from waiting import eventually

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(port: int) -> Samples:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        page = response.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def sample(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((f"tocsin_{name}", frozenset(labels.items())))


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_embedded_process_tells_of_its_events_and_deliveries(
    sqlite_url: str, tmp_path: Path
) -> None:
    environment = {
        "TOCSIN_DATABASE_URL": sqlite_url,
        "TOCSIN_HTTP_PORT": "0",
        "TOCSIN_METRICS_PORT": "0",
        "TOCSIN_METRICS_REFRESH_SECONDS": "0.1",
    }
    with (
        Receiver() as receiver,
        SqlStore.open(DatabaseSettings(url=sqlite_url)) as store,
        TocsinProcess("run", environment=environment, log_path=tmp_path / "run.log") as run,
    ):
        port = run.wait_for_log("metrics.serving")["port"]
        events_port = run.wait_for_log("http.listening")["port"]
        eventually(lambda: status(port, "/readyz") == 200, "ready")
        assert status(port, "/healthz") == 200
        store.create(an_alarm(all_projects=True, rule=a_rule("demo.*"),
                              alarm_actions=(receiver.url,)))  # fmt: skip
        eventually(lambda: sample(samples(port), "alarms_loaded") == 1, "the alarm is counted")
        body = {
            "message_id": "m-1",
            "publisher_id": "me",
            "event_type": "demo.made",
            "priority": "INFO",
            "payload": {},
            "timestamp": "2026-01-02 12:00:00.000000",
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{events_port}/v1/events",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()
        request.data = b"{}"
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(request, timeout=10)
        receiver.wait_for(1, timeout_seconds=10)
        label = {"receiver": receiver.url, "outcome": "delivered"}
        eventually(
            lambda: sample(samples(port), "delivery_attempts_total", **label) == 1, "delivered"
        )
        found = samples(port)
        assert sample(found, "firings_total") == 1
        labels = {"listener": "http", "event_class": "demo", "outcome": "matched"}
        assert sample(found, "events_total", **labels) == 1
        labels = {"listener": "http", "event_class": "", "outcome": "refused"}
        assert sample(found, "events_total", **labels) == 1
        assert sample(found, "store_up") == 1
        assert run.terminate() == 0


def test_parent_of_workers_tells_the_sum_of_what_they_count(
    sqlite_url: str, tmp_path: Path
) -> None:
    environment = {
        "TOCSIN_DATABASE_URL": sqlite_url,
        "TOCSIN_METRICS_PORT": "0",
        "TOCSIN_METRICS_REFRESH_SECONDS": "0.1",
    }
    with (
        Receiver() as receiver,
        SqlStore.open(DatabaseSettings(url=sqlite_url)) as store,
        TocsinProcess(
            "notifier", "--workers", "2", environment=environment, log_path=tmp_path / "log"
        ) as parent,
    ):
        port = parent.wait_for_log("metrics.serving")["port"]
        eventually(lambda: status(port, "/readyz") == 200, "both are ready")
        transitions = [a_transition(an_alarm(alarm_actions=(receiver.url,))) for _ in range(20)]
        with store.begin() as transaction:
            transaction.save_transitions(transitions)
        receiver.wait_for(20, timeout_seconds=20)
        label = {"receiver": receiver.url, "outcome": "delivered"}
        eventually(
            lambda: sample(samples(port), "delivery_attempts_total", **label) == 20, "the sum"
        )
        assert status(port, "/healthz") == 200
        assert parent.terminate() == 0


def test_notifier_that_has_nothing_to_do_for_long_is_not_stuck(
    sqlite_url: str, tmp_path: Path
) -> None:
    """/healthz: its loop comes round however seldom it is to look."""
    environment = {
        "TOCSIN_DATABASE_URL": sqlite_url,
        "TOCSIN_METRICS_PORT": "0",
        "TOCSIN_METRICS_REFRESH_SECONDS": "0.1",
        "TOCSIN_DELIVERY_POLL_SECONDS": "3600",
    }
    with TocsinProcess("notifier", environment=environment, log_path=tmp_path / "log") as process:
        port = process.wait_for_log("metrics.serving")["port"]
        process.wait_for_log("notifier.started")

        def silent() -> float:
            return sample(samples(port), "part_silent_seconds", part="notifier") or 0.0

        eventually(lambda: silent() > 1, "silent for a while")
        eventually(lambda: silent() < 1, "it comes round again", seconds=20)
