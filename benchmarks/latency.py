"""How long it takes from publishing an event until its callback arrives.

Every event fires one alarm with `repeat_actions`, whose action is a receiver in a process of its
own that notes the time of each arrival. Events are published at an even pace, some a second: that
many a person would call a quiet cloud (4), or a busy one (200).

    embedded             `tocsin run`: HTTP in, SQLite; the clock starts before the POST
    RabbitMQ, PostgreSQL `tocsin listener` and `tocsin notifier`: the clock starts before publish

    python -m benchmarks.latency [--seconds 15] [--rounds 1] [--rates 4 200]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

import pika

from benchmarks.listening_queue import URL, notifications
from benchmarks.surroundings import TocsinProcess, an_alarm_for_all, postgresql_database
from benchmarks.tables import Figure, Row, show
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

_P50_MS, _P99_MS = 6.0, 25.0
_WARM_UP = 20
_POSTING_THREADS = 8
_ARRIVAL_SECONDS = 10.0
_TOPIC = f"tocsin_latency_{os.getpid()}"

Publish = Callable[[bytes], None]
Surrounding = Callable[[str], AbstractContextManager[tuple[Publish, Sequence[TocsinProcess]]]]
"""Tocsin at work, with this action: what publishes an event to it, and its processes."""


@dataclass(frozen=True)
class Measured:
    """One run, in milliseconds; how many callbacks did not come is told, not hidden."""

    p50: float
    p99: float
    missing: int
    cpu_ms: float
    """Of all processes together, for each event."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and show the table."""
    options = _options(arguments)
    surroundings = {
        "embedded, HTTP and SQLite": _embedded,
        "RabbitMQ and PostgreSQL": _production,
    }
    rows = []
    for name, surrounding in surroundings.items():
        for rate in options.rates:
            runs = [_measure(surrounding, rate, options.seconds) for _ in range(options.rounds)]
            figures = [
                Figure("p50 ms", [run.p50 for run in runs], _P50_MS, at_least=False),
                Figure("p99 ms", [run.p99 for run in runs], _P99_MS, at_least=False),
                Figure("missing", [run.missing for run in runs], 0, at_least=False),
                Figure("CPU ms/event", [run.cpu_ms for run in runs]),
            ]
            rows.append(Row("Latency from publish to callback", f"{name}, {rate}/s", figures))
    show(rows, f"{options.seconds} s a run")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rates", type=int, nargs="+", default=(4, 200))
    return parser.parse_args(arguments)


# --- the two shapes --------------------------------------------------------------------------


@contextmanager
def _embedded(action: str) -> Iterator[tuple[Publish, Sequence[TocsinProcess]]]:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        database = f"sqlite:///{directory}/tocsin.sqlite"
        _store_alarm(database, action)
        settings = {"TOCSIN_DATABASE_URL": database, "TOCSIN_HTTP_PORT": "0"}
        process = stack.enter_context(TocsinProcess("run", settings))
        port = process.wait_for("http.listening")["port"]
        bodies: SimpleQueue[bytes | None] = SimpleQueue()
        threads = [
            threading.Thread(target=_post, args=(port, bodies)) for _ in range(_POSTING_THREADS)
        ]
        for thread in threads:
            thread.start()
        yield bodies.put, [process]
        for _ in threads:
            bodies.put(None)
        for thread in threads:
            thread.join()


def _post(port: int, bodies: SimpleQueue[bytes | None]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while (body := bodies.get()) is not None:
        connection.request("POST", "/v1/events", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status != 202:
            raise RuntimeError(f"the event was not taken: {response.status}")
    connection.close()


@contextmanager
def _production(action: str) -> Iterator[tuple[Publish, Sequence[TocsinProcess]]]:
    with postgresql_database("latency") as database, ExitStack() as stack:
        _store_alarm(database, action)
        settings = {
            "TOCSIN_DATABASE_URL": database,
            "TOCSIN_RABBITMQ_URLS": URL,
            "TOCSIN_RABBITMQ_TOPICS": _TOPIC,
            "TOCSIN_RABBITMQ_PRIORITIES": "info",
            "TOCSIN_RABBITMQ_EXCHANGES": _TOPIC,
        }
        listener = stack.enter_context(TocsinProcess("listener", settings))
        notifier = stack.enter_context(TocsinProcess("notifier", settings))
        listener.wait_for("rabbitmq.connected")
        notifier.wait_for("notifier.started")
        with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
            channel = connection.channel()
            queue = f"{_TOPIC}.info"
            channel.queue_declare(queue)

            def publish(body: bytes) -> None:
                properties = pika.BasicProperties(content_type="application/json")
                channel.basic_publish("", queue, body, properties)

            yield publish, [listener, notifier]
            channel.queue_delete(queue)
            channel.exchange_delete(_TOPIC)


def _store_alarm(database: str, action: str) -> None:
    with SqlStore.open(DatabaseSettings(url=database)) as store:
        store.create(an_alarm_for_all(action))


# --- the measurement -------------------------------------------------------------------------


def _measure(surrounding: Surrounding, rate: int, seconds: int) -> Measured:
    receiver = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.latency_receiver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert receiver.stdout is not None
    port = int(receiver.stdout.readline())
    try:
        with surrounding(f"http://127.0.0.1:{port}/") as (publish, processes):
            before = sum(process.cpu_seconds() for process in processes)
            published = _publish(publish, rate, seconds)
            time.sleep(1)  # for the last ones; one that is later counts as missing
            cpu_seconds = sum(process.cpu_seconds() for process in processes) - before
    finally:
        noted, _ = receiver.communicate(timeout=_ARRIVAL_SECONDS)
    return _measured(published, json.loads(noted), cpu_seconds)


def _publish(publish: Publish, rate: int, seconds: int) -> dict[str, float]:
    """When each event was published, but for the first few, which pay for beginnings."""
    published = {}
    bodies = list(notifications(rate * seconds + _WARM_UP))
    ids = [_message_id(body) for body in bodies]
    began = time.monotonic() + 0.5
    for number, (body, message_id) in enumerate(zip(bodies, ids, strict=True)):
        # The warming up is at twenty a second, whatever the rate.
        due = number / 20 if number < _WARM_UP else _WARM_UP / 20 + (number - _WARM_UP) / rate
        time.sleep(max(began + due - time.monotonic(), 0))
        if number >= _WARM_UP:
            published[message_id] = time.monotonic()
        publish(body)
    return published


def _message_id(body: bytes) -> str:
    message = json.loads(body)
    if "oslo.message" in message:
        message = json.loads(message["oslo.message"])
    return str(message["message_id"])


def _measured(
    published: dict[str, float], noted: dict[str, list[float]], cpu_seconds: float
) -> Measured:
    waits = sorted(noted[each][0] - at for each, at in published.items() if each in noted)
    p50, p99 = (waits[int(len(waits) * share)] * 1000 for share in (0.5, 0.99))
    cpu_ms = cpu_seconds / (len(published) + _WARM_UP) * 1000
    return Measured(p50, p99, len(published) - len(waits), cpu_ms)


if __name__ == "__main__":
    main()
