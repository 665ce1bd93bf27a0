"""How long a listener takes to start with a million alarms, and until it knows of a change.

The alarms are in PostgreSQL: each for one resource of its own, as people have them, on four event
types. `ready` is from the start of the process until its log says that it is connected to
RabbitMQ; memory is the most it ever held. Then another process changes an alarm, so that it fires
on a resource that nobody had an alarm for, and events for that resource are published until one
fires: that is how long it took until the change was in force.

    python -m benchmarks.starting [--alarms 1000000] [--rounds 1]
"""

from __future__ import annotations

import argparse
import json
import os
import time
import uuid
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pika
import psycopg

from benchmarks.listening_queue import URL
from benchmarks.surroundings import TocsinProcess, an_alarm_for_all, postgresql_database
from benchmarks.tables import Figure, Row, show
from pipeline.alarms.alarm import Alarm, Condition, EventRule
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

_READY_SECONDS, _MEMORY_MB, _IN_FORCE_SECONDS = 60.0, 1536.0, 1.0
_EVENT_TYPES = (
    "identity.user.*",
    "compute.instance.delete.end",
    "identity.role_assignment.*",
    "*",
)
_TOPIC = f"tocsin_start_{os.getpid()}"
_EVENT_TYPE, _RESOURCE = "identity.user.deleted", "changed-a-moment-ago"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and show the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--alarms", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args(arguments)
    with postgresql_database("starting") as database:
        settings = DatabaseSettings(url=database, statement_timeout_seconds=600)
        with closing(SqlStore.open(settings)) as store:
            alarm = _fill(store, database, options.alarms)
            rounds = [_round(store, database, alarm) for _ in range(options.rounds)]
    ready, memory, in_force = zip(*rounds, strict=True)
    figures = [
        Figure("ready s", ready, _READY_SECONDS, at_least=False),
        Figure("memory MB", memory, _MEMORY_MB, at_least=False),
        Figure("change in force s", in_force, _IN_FORCE_SECONDS, at_least=False),
    ]
    show([Row("Starting a listener", f"{options.alarms:,} alarms in PostgreSQL", figures)])


def _fill(store: SqlStore, database: str, count: int) -> Alarm:
    """One alarm of each type by the store, and copies of them by the database; one of them."""
    alarms = [
        _alarm(event_type, f"resource-{number}-of-")
        for number, event_type in enumerate(_EVENT_TYPES)
    ]
    store.create_many(alarms)
    with psycopg.connect(database) as connection:
        columns = [
            row[0]
            for row in connection.execute(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_name = 'alarm' AND table_schema = 'public'"
            )
        ]
        copied = {
            "alarm_id": "gen_random_uuid()::text",
            "name": "name || number",
            "rule": "replace(rule, '-of-', '-of-' || number)",
        }
        each = (count - len(alarms)) // len(alarms)
        connection.execute(
            f"INSERT INTO alarm ({', '.join(columns)})"
            f" SELECT {', '.join(copied.get(name, name) for name in columns)}"
            f" FROM alarm, generate_series(1, {each}) AS number"
        )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE alarm")
    return alarms[0]


def _alarm(event_type: str, resource: str) -> Alarm:
    rule = EventRule(event_type, (Condition("traits.resource_id", "eq", resource),))
    return replace(an_alarm_for_all("http://127.0.0.1:9/"), name=resource, rule=rule)


def _round(store: SqlStore, database: str, alarm: Alarm) -> tuple[float, float, float]:
    """Seconds until ready, MB, seconds until a change is in force."""
    environment = {
        "TOCSIN_DATABASE_URL": database,
        "TOCSIN_DATABASE_STATEMENT_TIMEOUT_SECONDS": "600",
        "TOCSIN_RABBITMQ_URLS": URL,
        "TOCSIN_RABBITMQ_TOPICS": _TOPIC,
        "TOCSIN_RABBITMQ_PRIORITIES": "info",
        "TOCSIN_RABBITMQ_EXCHANGES": _TOPIC,
    }
    began = time.monotonic()
    with TocsinProcess("listener", environment) as listener:
        listener.wait_for("rabbitmq.connected", seconds=600)
        ready = time.monotonic() - began
        in_force = _change(store, replace(alarm, name=str(uuid.uuid4())))
        return ready, listener.peak_memory_mb(), in_force


def _change(store: SqlStore, alarm: Alarm) -> float:
    """Let the alarm fire on another resource; seconds until it does."""
    resource = f"{_RESOURCE}-{uuid.uuid4()}"
    condition = Condition("traits.resource_id", "eq", resource)
    changed = replace(alarm, rule=EventRule(_EVENT_TYPE, (condition,)))
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        channel = connection.channel()
        try:
            store.update(changed)
            began = time.monotonic()
            while (waited := time.monotonic() - began) < 60:
                channel.basic_publish("", f"{_TOPIC}.info", _event(resource))
                connection.sleep(0.02)
                if store.history(alarm.alarm_id, 1)[0].type == "state transition":
                    return waited
        finally:
            with suppress(pika.exceptions.AMQPError):
                channel.queue_delete(f"{_TOPIC}.info")
                channel.exchange_delete(_TOPIC)
    raise TimeoutError("the change was not in force within 60 s")


def _event(resource: str) -> bytes:
    """One that is about this resource, as Keystone sends it."""
    message = {
        "message_id": str(uuid.uuid4()),
        "publisher_id": "identity.keystone-1",
        "event_type": _EVENT_TYPE,
        "priority": "INFO",
        "payload": {"resource_info": resource},
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()


if __name__ == "__main__":
    main()
