"""How many events a second are recorded when every one of them fires an alarm.

One alarm with `repeat_actions` matches every event. `tocsin listener` takes the events off a
RabbitMQ queue that was filled beforehand, and for each writes to PostgreSQL the alarm's state, a
line of history, the firing, the notification and the delivery, before it acknowledges. The clock
runs from the first firing that is seen in the database until all are there.

Beside it, in the same round, PostgreSQL alone takes the same rows, in batches of 100 by COPY into
the same tables, a transaction each, by a program that does nothing else. A row here is what one
firing writes: one of each of the four tables.

    python -m benchmarks.firing [--messages 30000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from benchmarks.listening_queue import URL, declare, delete, fill, notifications
from benchmarks.surroundings import TocsinProcess, an_alarm_for_all, postgresql_database
from benchmarks.tables import Figure, Row, show
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

_RECORDED_A_SECOND = 4_000.0
_TOPIC = f"tocsin_firing_{os.getpid()}"
_QUEUE = f"{_TOPIC}.info"
_TABLES = ("firing", "alarm_history", "notification", "delivery")
_BATCH = 100
_DEADLINE_SECONDS = 300


@dataclass(frozen=True)
class Round:
    """Firings a second, the listener's CPU in µs for each; firings a second without it."""

    recorded: float
    cpu_us: float
    alone: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and show the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    rounds = [_round(options.messages) for _ in range(options.rounds)]
    recorded = [
        Figure("firings/s", [each.recorded for each in rounds], _RECORDED_A_SECOND),
        Figure("of PostgreSQL alone", [each.recorded / each.alone for each in rounds]),
        Figure("CPU µs/firing", [each.cpu_us for each in rounds]),
    ]
    alone = [Figure("firings/s", [each.alone for each in rounds])]
    name = "Every event fires one alarm"
    show(
        [
            Row(name, "tocsin listener, RabbitMQ to PostgreSQL", recorded),
            Row(name, f"PostgreSQL alone, COPY in batches of {_BATCH}", alone),
        ],
        f"{options.messages:,} events a round",
    )


def _round(messages: int) -> Round:
    with postgresql_database("firing") as database:
        with SqlStore.open(DatabaseSettings(url=database)) as store:
            store.create(an_alarm_for_all("http://127.0.0.1:9/"))
        declare(URL, _QUEUE, "classic")
        try:
            fill(URL, _QUEUE, notifications(messages))
            recorded, cpu_us = _record(database, messages)
        finally:
            delete(URL, _QUEUE, _TOPIC)
        return Round(recorded, cpu_us, _alone(database))


def _record(database: str, messages: int) -> tuple[float, float]:
    """Firings a second, and CPU µs for each."""
    environment = {
        "TOCSIN_DATABASE_URL": database,
        "TOCSIN_RABBITMQ_URLS": URL,
        "TOCSIN_RABBITMQ_TOPICS": _TOPIC,
        "TOCSIN_RABBITMQ_PRIORITIES": "info",
        "TOCSIN_RABBITMQ_EXCHANGES": _TOPIC,
        "TOCSIN_RABBITMQ_DURABLE": "true",
    }
    deadline = time.monotonic() + _DEADLINE_SECONDS
    first: tuple[float, float, int] | None = None
    with (
        psycopg.connect(database, autocommit=True) as connection,
        TocsinProcess("listener", environment) as listener,
    ):
        while time.monotonic() < deadline:
            (done,) = connection.execute("SELECT count(*) FROM firing").fetchone() or (0,)
            now, cpu = time.perf_counter(), listener.cpu_seconds()
            if first is None and done:
                first = now, cpu, done
            if first is not None and done >= messages:
                taken = messages - first[2]
                return taken / (now - first[0]), (cpu - first[1]) / taken * 1e6
            time.sleep(0.05)
    raise TimeoutError(f"not everything was recorded within {_DEADLINE_SECONDS} s")


def _alone(database: str) -> float:
    """Write what the listener wrote once more, into tables of the same making."""
    with psycopg.connect(database) as connection:
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in _TABLES}
        for name in _TABLES:
            connection.execute(f"TRUNCATE {name}")
        connection.commit()
        count = len(rows["firing"])
        began = time.perf_counter()
        for start in range(0, count, _BATCH):
            for name, all_of_them in rows.items():
                with connection.cursor().copy(f"COPY {name} FROM STDIN") as copy:
                    for row in all_of_them[start : start + _BATCH]:
                        copy.write_row(row)
            connection.commit()
        return count / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
