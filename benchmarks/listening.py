"""How fast `tocsin listener` takes messages off RabbitMQ, beside what it stands on.

Every contender is a process of its own that drains the same queue, filled beforehand with captured
Keystone notifications of 1.7 KB, each with a message id of its own. In a round each is measured
between two runs of the bare pika consumer, and the ratio is to the mean of both: a machine whose
speed changes by the minute changes all three. The clock runs from the moment the queue begins to
shrink until it is empty, so that nobody pays for starting. At that moment the contender is killed,
and what comes back into the queue, unacknowledged, does not count as taken: nobody gains by having
much sent ahead. CPU is the process's own, user and system, over the same time.

A run lasts for seconds, so that its ends hardly count: the first commit, in which the connection
to the database is made and the statements are compiled, takes 45 ms.

    bare pika consumer   acknowledges every hundredth for all before it, and nothing else
    raw socket           AMQP frames parsed, no more: how far the broker could go
    oslo.messaging       a batch listener whose endpoint does nothing
    tocsin listener      everything: normalise, route, match; on PostgreSQL commit what fires
                         before it acknowledges. None of its alarms match, or one in a hundred
                         messages fires one.

    python -m benchmarks.listening [--messages 100000] [--rounds 5] [--alarms 100000]
                                   [--queue-type classic quorum]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pika

from benchmarks.listening_queue import URL, declare, delete, fill, notifications, unfinished
from benchmarks.surroundings import postgresql_database
from benchmarks.tables import Figure, Row, show
from pipeline.alarms.alarm import Alarm, Condition, EventRule
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

TOPIC = f"tocsin_bench_{os.getpid()}"
QUEUE = f"{TOPIC}.info"
FIRING_EVERY = 100
_BARE_CONSUMER = (
    "import sys; from benchmarks.listening_peers import URL, bare_consumer;"
    "bare_consumer(URL, sys.argv[1], int(sys.argv[2]))"
)
_TICKS = os.sysconf("SC_CLK_TCK")
_DEADLINE_SECONDS = 150
_OSLO_SHARE = 0.1

BARE, RAW = "bare pika consumer, acks every 100", "raw socket, frames only"
OSLO, QUIET = "oslo.messaging batch listener", "tocsin listener, nothing matches"
FIRING = f"tocsin listener, 1 in {FIRING_EVERY} fires"
_OF_BARE = {"classic": 0.5, "quorum": 0.35}
_OF_OSLO, _FIRING_OF_QUIET, _CPU_OF_BARE = 3.5, 0.8, 26 / 11


@dataclass(frozen=True)
class Contender:
    """Something that drains the queue: its command, its environment, and what is published."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    firing: bool = False
    share: float = 1.0
    """Of the messages, how many: a slow one need not drain all of them."""
    times_itself: bool = False


@dataclass(frozen=True)
class Drained:
    """One contender's run: messages a second, and its CPU in µs a message."""

    rate: float
    cpu_us: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and show the tables."""
    options = _options(arguments)
    # Ended from outside, it still removes its database and its queue.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with _database(options.alarms) as database:
        for queue_type in options.queue_type:
            contenders = _contenders(database, queue_type, options.messages)
            rounds = [
                _round(contenders, options.messages, queue_type) for _ in range(options.rounds)
            ]
            name = f"Listening, {options.alarms:,} alarms, {queue_type} queue"
            show(_rows(name, rounds, queue_type), f"{options.messages:,} messages a run")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alarms", type=int, default=100_000)
    parser.add_argument(
        "--queue-type", nargs="+", choices=("classic", "quorum"), default=("classic", "quorum")
    )
    return parser.parse_args(arguments)


# --- the contenders --------------------------------------------------------------------------


def _contenders(database: str, queue_type: str, messages: int) -> list[Contender]:
    python, count = sys.executable, str(messages)
    listener, settings = [python, "-m", "pipeline", "listener"], _settings(database)
    few = str(int(messages * _OSLO_SHARE))
    oslo = [python, "-m", "benchmarks.listening_oslo", TOPIC, few, queue_type]
    return [
        Contender(RAW, [python, "-m", "benchmarks.listening_raw", QUEUE, count]),
        Contender(QUIET, listener, settings),
        Contender(FIRING, listener, settings, firing=True),
        Contender(OSLO, oslo, share=_OSLO_SHARE, times_itself=True),
    ]


def _bare(messages: int) -> Contender:
    return Contender(BARE, [sys.executable, "-c", _BARE_CONSUMER, QUEUE, str(messages)])


def _settings(database: str) -> dict[str, str]:
    return {
        "TOCSIN_DATABASE_URL": database,
        "TOCSIN_RABBITMQ_URLS": URL,
        "TOCSIN_RABBITMQ_TOPICS": TOPIC,
        "TOCSIN_RABBITMQ_PRIORITIES": "info",
        "TOCSIN_RABBITMQ_EXCHANGES": TOPIC,
        "TOCSIN_LOG_FORMAT": "json",
    }


@contextmanager
def _database(alarms: int) -> Iterator[str]:
    """The URL of a new database with so many alarms, which goes when all is measured."""
    with postgresql_database("listening") as url:
        _create_alarms(url, alarms)
        try:
            yield url
        finally:
            with suppress(pika.exceptions.AMQPError):
                delete(URL, QUEUE, TOPIC)


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


def _round(
    contenders: Sequence[Contender], messages: int, queue_type: str
) -> dict[str, tuple[Drained, Drained]]:
    """Each contender's run, and the mean of the bare consumer's before and after it."""
    bare = _bare(messages)
    before, runs = _measure(bare, messages, queue_type), {}
    runs[BARE] = before, before
    for contender in contenders:
        measured = _measure(contender, int(messages * contender.share), queue_type)
        after = _measure(bare, messages, queue_type)
        runs[contender.name] = measured, _mean(before, after)
        before = after
    return runs


def _mean(one: Drained, other: Drained) -> Drained:
    return Drained((one.rate + other.rate) / 2, (one.cpu_us + other.cpu_us) / 2)


def _measure(contender: Contender, messages: int, queue_type: str) -> Drained:
    """Fill the queue, let the contender drain it, watch from outside."""
    declare(URL, QUEUE, queue_type)
    fill(URL, QUEUE, _bodies(messages, contender.firing))
    if contender.times_itself:
        return _told(contender.command, messages)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            contender.command,
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


def _told(command: Sequence[str], messages: int) -> Drained:
    """What a contender that measures itself prints: its seconds and CPU seconds."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=_DEADLINE_SECONDS
    )
    seconds, cpu_seconds = map(float, done.stdout.split())
    return Drained(messages / seconds, cpu_seconds / messages * 1e6)


def _watch(process: subprocess.Popen[bytes], messages: int) -> Drained:
    """From the first look at which the queue has shrunk to the first at which it is empty."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        channel = connection.channel()
        first: tuple[float, float] | None = None
        while time.monotonic() < deadline:
            left = channel.queue_declare(QUEUE, passive=True).method.message_count
            now, cpu = time.perf_counter(), _cpu_seconds(process.pid)
            if first is None and left < messages:
                first = now, cpu
            if left == 0 and first is not None:
                process.kill()
                taken = messages - unfinished(channel, QUEUE)
                return Drained(taken / (now - first[0]), (cpu - first[1]) / taken * 1e6)
            time.sleep(0.01)
    raise TimeoutError(f"the queue was not drained in {_DEADLINE_SECONDS} s")


def _cpu_seconds(pid: int) -> float:
    # The command's name, in parentheses, may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


# --- the table -------------------------------------------------------------------------------


def _rows(
    name: str, rounds: Sequence[Mapping[str, tuple[Drained, Drained]]], queue_type: str
) -> list[Row]:
    """Ratios are of the runs of one round."""
    rows = []
    for what in rounds[0]:
        runs = [each[what] for each in rounds]
        of_bare = [run.rate / bare.rate for run, bare in runs]
        cpu_of_bare = [run.cpu_us / bare.cpu_us for run, bare in runs]
        quiet = what == QUIET
        figures = [
            Figure("messages/s", [run.rate for run, _ in runs]),
            Figure("of bare", of_bare, _OF_BARE[queue_type] if quiet else None),
            Figure("CPU µs/message", [run.cpu_us for run, _ in runs]),
            Figure("CPU of bare", cpu_of_bare, _CPU_OF_BARE if quiet else None, at_least=False),
        ]
        if quiet:
            figures.append(Figure("of oslo", _of(rounds, what, OSLO), _OF_OSLO))
        if what == FIRING:
            figures.append(Figure("of quiet", _of(rounds, what, QUIET), _FIRING_OF_QUIET))
        rows.append(Row(name, what, figures))
    return rows


def _of(
    rounds: Sequence[Mapping[str, tuple[Drained, Drained]]], one: str, other: str
) -> list[float]:
    """One's rate as a part of the other's, both as parts of the bare consumer's beside them."""
    return [
        (each[one][0].rate / each[one][1].rate) / (each[other][0].rate / each[other][1].rate)
        for each in rounds
    ]


if __name__ == "__main__":
    main()
