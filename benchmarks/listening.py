"""How fast `tocsin listener` takes messages off RabbitMQ, beside a consumer that only acks.

Every contender is a process of its own that drains the same queue, filled beforehand with captured
Keystone notifications of 1.7 KB, each with a message id of its own. In a round each listener is
measured right after the bare consumer and their ratio is taken: a machine whose speed changes by
the minute changes both. The table shows medians over the rounds. The clock runs from the moment
the queue begins to shrink until it is empty, so that nobody pays for starting. CPU is the
process's own, user and system, over the same time.

`tocsin listener` does everything: normalise, route, match, and on PostgreSQL commit what fires
before it acknowledges. Of its alarms none match, or one in a hundred messages fires one.

    python -m benchmarks.listening [--messages 30000] [--rounds 5] [--queue-type classic]
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pika
import psycopg

from benchmarks.listening_peers import URL, declare, delete, fill, notifications
from pipeline.alarms.alarm import Alarm, Condition, EventRule
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

POSTGRESQL = os.environ.get(
    "TOCSIN_TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)
TOPIC = f"tocsin_bench_{os.getpid()}"
QUEUE = f"{TOPIC}.info"
FIRING_EVERY = 100
_BARE_CONSUMER = (
    "import sys; from benchmarks.listening_peers import URL, bare_consumer;"
    "bare_consumer(URL, sys.argv[1], int(sys.argv[2]))"
)
_TICKS = os.sysconf("SC_CLK_TCK")
_DEADLINE_SECONDS = 300


@dataclass(frozen=True)
class Contender:
    """Something that drains the queue: its command, its environment, and what is published."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    firing: bool = False


@dataclass(frozen=True)
class Drained:
    """One contender's run: messages a second, and its CPU in µs a message."""

    rate: float
    cpu_us: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    options = _options(arguments)
    with _contenders() as contenders:
        bare, *listeners = contenders
        pairs: dict[str, list[tuple[Drained, Drained]]] = {each.name: [] for each in listeners}
        for _ in range(options.rounds):
            for listener in listeners:
                beside = _measure(bare, options.messages, options.queue_type)
                measured = _measure(listener, options.messages, options.queue_type)
                pairs[listener.name].append((beside, measured))
        _print(bare.name, pairs, options)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queue-type", choices=("classic", "quorum"), default="classic")
    return parser.parse_args(arguments)


# --- the contenders --------------------------------------------------------------------------


@contextmanager
def _contenders() -> Iterator[list[Contender]]:
    """A bare consumer, and listeners with few and with many alarms."""
    bare = [sys.executable, "-c", _BARE_CONSUMER]
    listener = [sys.executable, "-m", "pipeline", "listener"]
    few, many = _database("few"), _database("many")
    try:
        _create_alarms(few, 10)
        _create_alarms(many, 10_000)
        yield [
            Contender("bare pika consumer, acks every 100", bare, {}),
            Contender("listener, 10 alarms, none match", listener, _settings(few)),
            Contender("listener, 10,000 alarms, none match", listener, _settings(many)),
            Contender("listener, 10,000 alarms, 1 in 100 fires", listener, _settings(many), True),
        ]
    finally:
        with suppress(pika.exceptions.AMQPError):
            delete(URL, QUEUE)
        for url in (few, many):
            _server().execute(f"DROP DATABASE {url.rsplit('/', 1)[1]} WITH (FORCE)")


def _settings(database: str) -> dict[str, str]:
    return {
        "TOCSIN_DATABASE_URL": database,
        "TOCSIN_RABBITMQ_URLS": URL,
        "TOCSIN_RABBITMQ_TOPICS": TOPIC,
        "TOCSIN_RABBITMQ_PRIORITIES": "info",
        "TOCSIN_RABBITMQ_EXCHANGES": TOPIC,
        "TOCSIN_LOG_FORMAT": "json",
    }


def _database(name: str) -> str:
    database = f"tocsin_bench_{name}_{os.getpid()}"
    _server().execute(f"CREATE DATABASE {database}")
    return f"{POSTGRESQL.rsplit('/', 1)[0]}/{database}"


def _server() -> psycopg.Connection:
    return psycopg.connect(POSTGRESQL, autocommit=True, connect_timeout=5)


def _create_alarms(database: str, count: int) -> None:
    """Alarms on the sample's own event types, each for one user that is not in it, and one that
    repeats on the users that are published as firing."""
    types = ("identity.user.*", "identity.authenticate", "identity.role_assignment.*", "*")
    alarms = [
        _alarm(types[number % len(types)], f"nobody-{number}") for number in range(count - 1)
    ]
    with SqlStore.open(DatabaseSettings(url=database)) as store:
        store.create_many([*alarms, _alarm("identity.user.deleted", "fires")])


def _alarm(event_type: str, resource_id: str) -> Alarm:
    now = datetime.now(UTC)
    return Alarm(
        alarm_id=str(uuid.uuid4()),
        name=resource_id,
        rule=EventRule(event_type, (Condition("traits.resource_id", "eq", resource_id),)),
        description="",
        timestamp=now,
        state_timestamp=now,
        all_projects=True,
        repeat_actions=True,
        alarm_actions=("http://127.0.0.1:9/",),
    )


def _bodies(count: int, firing: bool) -> Iterator[bytes]:
    for number, body in enumerate(notifications(count)):
        if firing and number % FIRING_EVERY == 0:
            yield _FIRES % (str(uuid.uuid4()).encode(), b"x" * (len(body) - len(_FIRES)))
        else:
            yield body


_FIRES = (
    b'{"oslo.version": "2.0", "oslo.message": "{\\"message_id\\": \\"%s\\", '
    b'\\"publisher_id\\": \\"identity.keystone-1\\", '
    b'\\"event_type\\": \\"identity.user.deleted\\",'
    b' \\"priority\\": \\"INFO\\", \\"payload\\": {\\"resource_info\\": \\"fires\\",'
    b' \\"padding\\": \\"%s\\"}, \\"timestamp\\": \\"2026-11-21 21:03:28.363224\\"}"}'
)

# --- the measurement -------------------------------------------------------------------------


def _measure(contender: Contender, messages: int, queue_type: str) -> Drained:
    """Fill the queue, let the contender drain it, watch from outside."""
    declare(URL, QUEUE, queue_type)
    fill(URL, QUEUE, _bodies(messages, contender.firing))
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*contender.command, *([QUEUE, str(messages)] if not contender.environment else [])],
            env={**os.environ, **contender.environment},
            stdout=log,
            stderr=log,
        )
        try:
            return _watch(process, messages)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _watch(process: subprocess.Popen[bytes], messages: int) -> Drained:
    """From the first look at which the queue has shrunk to the first at which it is empty."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        channel = connection.channel()
        first: tuple[float, float, int] | None = None
        while time.monotonic() < deadline:
            left = channel.queue_declare(QUEUE, passive=True).method.message_count
            now, cpu = time.perf_counter(), _cpu_seconds(process.pid)
            if first is None and left < messages:
                first = now, cpu, left
            if left == 0 and first is not None:
                taken = first[2]
                return Drained(taken / (now - first[0]), (cpu - first[1]) / taken * 1e6)
            time.sleep(0.01)
    raise TimeoutError(f"the queue was not drained in {_DEADLINE_SECONDS} s")


def _cpu_seconds(pid: int) -> float:
    # The command's name, in parentheses, may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _print(
    bare: str, pairs: dict[str, list[tuple[Drained, Drained]]], options: argparse.Namespace
) -> None:
    print(
        f"\nListening: {options.messages:,} messages, {options.queue_type} queue, "
        f"medians (least, most) of {options.rounds} rounds"
    )
    print(f"{'':42} {'messages/s':>24} {'of bare':>19} {'CPU µs/message':>15}")
    _print_row(bare, [beside for runs in pairs.values() for beside, _ in runs], [1.0])
    for name, runs in pairs.items():
        ratios = [measured.rate / beside.rate for beside, measured in runs]
        _print_row(name, [measured for _, measured in runs], ratios)


def _print_row(name: str, runs: Sequence[Drained], ratios: Sequence[float]) -> None:
    rates = [run.rate for run in runs]
    rate = f"{statistics.median(rates):,.0f} ({min(rates):,.0f}, {max(rates):,.0f})"
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
    cpu = statistics.median(run.cpu_us for run in runs)
    print(f"{name:42} {rate:>24} {ratio:>19} {cpu:15.1f}")


if __name__ == "__main__":
    main()
