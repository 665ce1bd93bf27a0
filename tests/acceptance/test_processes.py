"""Processes end well: a signal drains, a second one ends at once, and nothing in hand is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from pipeline.receiver import Callback, Receiver, Reply
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import a_rule, a_transition, an_alarm, an_event
from processes import TocsinProcess
from waiting import eventually


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=sqlite_url)) as store:
        yield store


@pytest.fixture
def environment(sqlite_url: str) -> dict[str, str]:
    return {"TOCSIN_DATABASE_URL": sqlite_url, "TOCSIN_DELIVERY_POLL_SECONDS": "0.1"}


def a_body(number: int) -> bytes:
    notification = {
        "message_id": f"m-{number}",
        "publisher_id": "me",
        "event_type": "demo.made",
        "priority": "INFO",
        "payload": {"number": number},
        "timestamp": "2026-01-02 12:00:00.000000",
    }
    return json.dumps(notification).encode()


def test_embedded_event_over_http_is_answered_after_the_commit_and_delivered(
    store: SqlStore, environment: dict[str, str], tmp_path: Path
) -> None:
    """delivery 1: no broker, no server; the notifier is woken, not polled."""
    environment |= {"TOCSIN_HTTP_PORT": "0", "TOCSIN_DELIVERY_POLL_SECONDS": "3600"}
    with Receiver() as receiver:
        alarm = an_alarm(all_projects=True, rule=a_rule("demo.*"),
                         alarm_actions=(receiver.url,))  # fmt: skip
        store.create(alarm)
        with TocsinProcess("run", environment=environment, log_path=tmp_path / "run.log") as run:
            port = run.wait_for_log("http.listening")["port"]
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/events",
                a_body(1),
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=10) as response:
                assert response.status == 202
            assert store.counts().firings == 1
            (callback,) = receiver.wait_for(1, timeout_seconds=10)
            assert callback.json()["alarm_id"] == alarm.alarm_id
            assert run.terminate() == 0


def test_listener_told_to_end_in_the_middle_leaves_every_event_done_or_queued(
    database_url: str, amqp_url: str, topic: str, tmp_path: Path
) -> None:
    """delivery 1: SIGTERM while batches are worked on."""
    queue, count = f"{topic}.info", 3_000
    environment = {
        "TOCSIN_DATABASE_URL": database_url,
        "TOCSIN_RABBITMQ_URLS": amqp_url,
        "TOCSIN_RABBITMQ_TOPICS": topic,
        "TOCSIN_RABBITMQ_EXCHANGES": topic,
    }
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    channel.queue_declare(queue)
    for number in range(count):
        channel.basic_publish("", queue, a_body(number))
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        every = an_alarm(all_projects=True, rule=a_rule("demo.*"),
                         repeat_actions=True, alarm_actions=())  # fmt: skip
        store.create(every)
        with TocsinProcess(
            "listener", environment=environment, log_path=tmp_path / "l"
        ) as process:
            eventually(lambda: store.counts().firings > 0, "the first firing")
            assert process.terminate() == 0
        left = channel.queue_declare(queue, passive=True).method.message_count
        assert store.counts().firings + left == count
    connection.close()


class Gate:
    """A receiver that answers only when the gate is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.receiver = Receiver(answer=self._answer)

    def open(self) -> None:
        self._open.set()

    def _answer(self, callback: Callback) -> Reply:
        self._open.wait(30)
        return Reply(200)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()
    gate.receiver.close()


def one_delivery(store: SqlStore, url: str) -> None:
    alarm = store.create(an_alarm(alarm_actions=(url,)))
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(alarm, an_event())])


def test_notifier_told_to_end_lets_the_attempt_in_flight_end_and_records_it(
    store: SqlStore, environment: dict[str, str], gate: Gate, tmp_path: Path
) -> None:
    one_delivery(store, gate.receiver.url)
    with TocsinProcess("notifier", environment=environment, log_path=tmp_path / "n") as notifier:
        gate.receiver.wait_for(1, timeout_seconds=30)
        notifier.signal(signal.SIGTERM)
        notifier.wait_for_log("process.draining")
        gate.open()
        assert notifier.wait() == 0
    assert store.counts().deliveries_by_state["delivered"] == 1


def test_second_signal_ends_at_once_and_the_delivery_is_still_there(
    store: SqlStore, environment: dict[str, str], gate: Gate, tmp_path: Path
) -> None:
    one_delivery(store, gate.receiver.url)
    with TocsinProcess("notifier", environment=environment, log_path=tmp_path / "n") as notifier:
        gate.receiver.wait_for(1, timeout_seconds=30)
        notifier.signal(signal.SIGTERM)
        notifier.wait_for_log("process.draining")
        notifier.signal(signal.SIGTERM)
        assert notifier.wait() == 1
    assert store.counts().deliveries_by_state["pending"] == 1


def test_drain_is_bounded(
    store: SqlStore, environment: dict[str, str], gate: Gate, tmp_path: Path
) -> None:
    """A receiver that hangs cannot keep the process for longer than process.drain_seconds."""
    one_delivery(store, gate.receiver.url)
    environment |= {"TOCSIN_PROCESS_DRAIN_SECONDS": "0.5"}
    with TocsinProcess("notifier", environment=environment, log_path=tmp_path / "n") as notifier:
        gate.receiver.wait_for(1, timeout_seconds=30)
        assert notifier.terminate() == 1
        assert [
            line["parts"] for line in notifier.log() if line["event"] == "process.not_drained"
        ] == [["notifier"]]
    assert store.counts().deliveries_by_state["pending"] == 1


def test_listener_without_anything_to_listen_to_says_what_to_set(
    environment: dict[str, str],
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "listener"],
        env=environment | {"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "no listener is configured. Set rabbitmq.urls (TOCSIN_RABBITMQ_URLS)" in done.stderr
