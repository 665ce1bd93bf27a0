"""kill -9, a broker that goes away, connections that drop: and still nothing lost, nothing twice.

5,000 captured Keystone notifications, of which 500 fire one alarm each, go through a listener
and a notifier that are killed at random moments, while RabbitMQ is stopped and started and
PostgreSQL's connections are dropped. The seed is printed; set TOCSIN_TEST_SEED to repeat a run.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pika
import pika.exceptions
import psycopg
import pytest

from pipeline.alarms.alarm import Condition, EventRule
from pipeline.receiver import Callback, Receiver, Reply
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import an_alarm
from listeners.rabbitmq_server import OwnRabbitmq
from processes import TocsinProcess
from waiting import eventually

EVENTS, FIRING, PUBLISHED_TWICE = 5_000, 500, 50
QUEUE = "notifications.info"
CAPTURED = Path(__file__).parents[1] / "data" / "keystone-cadf.jsonl"


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("TOCSIN_TEST_SEED", time.time_ns() % 1_000_000))
    print(f"TOCSIN_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def environment(database_url: str, own_rabbitmq: OwnRabbitmq) -> dict[str, str]:
    return {
        "TOCSIN_DATABASE_URL": database_url,
        "TOCSIN_RABBITMQ_URLS": own_rabbitmq.url,
        "TOCSIN_RABBITMQ_EXCHANGES": "keystone",
        "TOCSIN_RABBITMQ_PRIORITIES": "info",
        "TOCSIN_RABBITMQ_DURABLE": "true",
        "TOCSIN_RABBITMQ_RECONNECT_MAX_SECONDS": "1",
        "TOCSIN_HTTP_ENABLED": "false",
        "TOCSIN_DELIVERY_POLL_SECONDS": "0.1",
        "TOCSIN_DELIVERY_CONNECT_TIMEOUT_SECONDS": "0.5",
        "TOCSIN_DELIVERY_READ_TIMEOUT_SECONDS": "1",
        "TOCSIN_DELIVERY_LEASE_SECONDS": "4",
        "TOCSIN_DELIVERY_RETRY_DELAYS_SECONDS": "0.2,0.5,1,1,1,1,1,1",
    }


class Publisher(threading.Thread):
    """Publishes every body with a confirm, at a pace; again, if the broker went away meanwhile."""

    def __init__(self, url: str, bodies: list[bytes], seconds: float) -> None:
        super().__init__(daemon=True)
        self._url, self._bodies = url, bodies
        self._pause = seconds / len(bodies)
        self.published = 0

    def run(self) -> None:
        while self.published < len(self._bodies):
            try:
                self._publish()
            except (pika.exceptions.AMQPError, OSError):
                time.sleep(0.2)

    def _publish(self) -> None:
        parameters = pika.URLParameters(self._url)
        parameters.socket_timeout = parameters.blocked_connection_timeout = 5
        connection = pika.BlockingConnection(parameters)
        channel = connection.channel()
        channel.confirm_delivery()
        channel.exchange_declare("keystone", "topic", durable=True)
        channel.queue_declare(QUEUE, durable=True)
        channel.queue_bind(QUEUE, "keystone", QUEUE)
        persistent = pika.BasicProperties(delivery_mode=2, content_type="application/json")
        while self.published < len(self._bodies):
            channel.basic_publish("keystone", QUEUE, self._bodies[self.published], persistent)
            self.published += 1
            time.sleep(self._pause)
        connection.close()


class Chaos:
    """Kills and restarts, one disturbance at a time, and counts what it did."""

    def __init__(
        self, environment: dict[str, str], rabbitmq: OwnRabbitmq, logs: Path, chance: random.Random
    ) -> None:
        self._environment, self._rabbitmq = environment, rabbitmq
        self._logs, self._chance = logs, chance
        self.done: dict[str, int] = defaultdict(int)
        self.processes = {name: self._start(name) for name in ("listener", "notifier")}

    def disturb(self) -> None:
        """One disturbance, chosen at random."""
        kinds = [self.kill_listener, self.kill_notifier]
        # The broker takes seconds to start: twice is enough, and leaves time for the others.
        if self.done["rabbitmq stopped and started"] < 2:
            kinds.append(self.stop_rabbitmq)
        if self._environment["TOCSIN_DATABASE_URL"].startswith("postgresql"):
            kinds.append(self.drop_database_connections)
        kind = self._chance.choice(kinds)
        kind()

    def kill_listener(self) -> None:
        self._kill("listener")

    def kill_notifier(self) -> None:
        self._kill("notifier")

    def stop_rabbitmq(self) -> None:
        self.done["rabbitmq stopped and started"] += 1
        self._rabbitmq.stop()
        self._rabbitmq.start()

    def drop_database_connections(self) -> None:
        self.done["database connections dropped"] += 1
        url = self._environment["TOCSIN_DATABASE_URL"]
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def _kill(self, name: str) -> None:
        self.done[f"{name} killed"] += 1
        with self.processes[name] as process:
            process.kill()
        self.processes[name] = self._start(name)

    def _start(self, name: str) -> TocsinProcess:
        log_path = self._logs / f"{name}.log"
        return TocsinProcess(name, environment=self._environment, log_path=log_path)

    def close(self) -> None:
        for process in self.processes.values():
            process.__exit__(None, None, None)


def bodies(chance: random.Random) -> list[bytes]:
    """Captured notifications with ids of their own, some of them firing; some of those twice."""
    captured = [json.loads(line)["body"] for line in CAPTURED.read_text().splitlines()]
    messages = []
    for number in range(EVENTS):
        message = json.loads(json.loads(chance.choice(captured))["oslo.message"])
        message["message_id"] = f"m-{number}"
        if number < FIRING:
            message["event_type"] = "identity.user.deleted"
            message["payload"]["resource_info"] = f"user-{number}"
        messages.append(_enveloped(message))
    twice = messages + chance.sample(messages[:FIRING], PUBLISHED_TWICE)
    chance.shuffle(twice)
    return twice


def _enveloped(message: dict[str, Any]) -> bytes:
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()


def create_alarms(store: SqlStore, url: str) -> None:
    for number in range(FIRING):
        query = (Condition("traits.resource_id", "eq", f"user-{number}", "string"),)
        store.create(
            an_alarm(
                alarm_id=f"alarm-{number}",
                name=f"alarm-{number}",
                rule=EventRule("identity.user.deleted", query),
                all_projects=True,
                alarm_actions=(f"{url}/{number}",),
            )
        )


@pytest.mark.timeout(280)
def test_nothing_is_lost_and_nothing_fires_twice_whatever_dies(
    environment: dict[str, str],
    own_rabbitmq: OwnRabbitmq,
    tmp_path: Path,
    chance: random.Random,
) -> None:
    """delivery 1, 2, 3; events-in 3."""

    def sometimes_unwell(callback: Callback) -> Reply:
        return Reply(503 if chance.random() < 0.05 else 200)

    own_rabbitmq.start()
    store = SqlStore.open(DatabaseSettings(url=environment["TOCSIN_DATABASE_URL"]))
    with Receiver(answer=sometimes_unwell) as receiver:
        create_alarms(store, receiver.url)
        chaos = Chaos(environment, own_rabbitmq, tmp_path, chance)
        publisher = Publisher(own_rabbitmq.url, bodies(chance), seconds=20)
        publisher.start()
        try:
            while publisher.is_alive():
                time.sleep(chance.uniform(1.0, 4.0))
                chaos.disturb()
            chaos.kill_listener()
            chaos.kill_notifier()
            chaos.stop_rabbitmq()
            eventually(
                lambda: store.counts().deliveries_by_state.get("delivered", 0) == FIRING,
                f"{FIRING} deliveries delivered",
                seconds=90,
            )
            eventually(lambda: _ready(own_rabbitmq.url) == 0, "the queue is empty")
            for process in chaos.processes.values():
                process.wait_for_log("process.started")
            exits = [process.terminate() for process in chaos.processes.values()]
        finally:
            chaos.close()
        print(dict(chaos.done), f"{len(receiver.callbacks)} callbacks")

        assert exits == [0, 0]
        assert _ready(own_rabbitmq.url) == 0, "something was left unacknowledged"
        assert chaos.done["listener killed"] >= 1
        assert chaos.done["notifier killed"] >= 1
        _each_alarm_has_one_transition(store)
        _each_callback_arrived_under_one_id(receiver)
        counts = store.counts()
        assert counts.firings == FIRING
        assert dict(counts.deliveries_by_state) == {"delivered": FIRING, "pending": 0, "dead": 0}
        assert (counts.rejected, counts.publications) == (0, 0)
    store.close()


def _each_alarm_has_one_transition(store: SqlStore) -> None:
    for number in range(FIRING):
        types = [entry.type for entry in store.history(f"alarm-{number}")]
        assert types.count("state transition") == 1, f"alarm-{number}: {types}"


def _each_callback_arrived_under_one_id(receiver: Receiver) -> None:
    ids: dict[str, set[str]] = defaultdict(set)
    for callback in receiver.callbacks:
        ids[callback.path].add(callback.headers["webhook-id"])
    assert len(ids) == FIRING
    assert {path: seen for path, seen in ids.items() if len(seen) != 1} == {}
    assert len(set().union(*ids.values())) == FIRING


def _ready(url: str) -> int:
    """How many messages the queue would deliver now."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    declared = connection.channel().queue_declare(QUEUE, passive=True)
    connection.close()
    return int(declared.method.message_count)
