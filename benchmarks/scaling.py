"""How much faster two workers are than one, and what the broker takes of the machine meanwhile.

`tocsin listener --workers N` drains a queue of captured Keystone notifications; no alarm matches.
The workers are stopped while the queue is filled (SIGSTOP), so that all are there from the first
message on, and the clock runs until the queue is empty. One and two workers take turns; the ratio
is of neighbours. CPU is that of all workers together, and that of RabbitMQ, as a part of one core:
where their sum comes near the number of cores, it is the machine that does not give more.

    python -m benchmarks.scaling [--messages 100000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pika

from benchmarks.listening_queue import URL, declare, delete, fill, notifications, unfinished
from benchmarks.surroundings import postgresql_database
from benchmarks.tables import Figure, Row, show

TOPIC = f"tocsin_scaling_{os.getpid()}"
QUEUE = f"{TOPIC}.info"
_TICKS = os.sysconf("SC_CLK_TCK")
_DEADLINE_SECONDS = 300


@dataclass(frozen=True)
class Drained:
    """One run: messages a second, and CPU in cores."""

    rate: float
    workers_cpu: float
    broker_cpu: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and show the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with _database() as database:
        runs = [
            (_drain(database, 1, options.messages), _drain(database, 2, options.messages))
            for _ in range(options.rounds)
        ]
    show(
        [
            _row("1 worker", [one for one, _ in runs], []),
            _row("2 workers", [two for _, two in runs],
                 [Figure("of 1 worker", [two.rate / one.rate for one, two in runs])]),
        ],
        f"{options.messages:,} messages, {os.cpu_count()} cores",
    )  # fmt: skip


def _row(what: str, runs: Sequence[Drained], further: Sequence[Figure]) -> Row:
    figures = [
        Figure("messages/s", [run.rate for run in runs]),
        *further,
        Figure("cores: workers", [run.workers_cpu for run in runs]),
        Figure("cores: RabbitMQ", [run.broker_cpu for run in runs]),
    ]
    return Row("listeners side by side", what, figures)


@contextmanager
def _database() -> Iterator[str]:
    with postgresql_database("scaling") as url:
        try:
            yield url
        finally:
            delete(URL, QUEUE, TOPIC)


def _drain(database: str, workers: int, messages: int) -> Drained:
    declare(URL, QUEUE, "classic")
    environment = {
        "TOCSIN_DATABASE_URL": database,
        "TOCSIN_RABBITMQ_URLS": URL,
        "TOCSIN_RABBITMQ_TOPICS": TOPIC,
        "TOCSIN_RABBITMQ_PRIORITIES": "info",
        "TOCSIN_RABBITMQ_EXCHANGES": TOPIC,
    }
    command = [sys.executable, "-m", "pipeline", "listener", "--workers", str(workers)]
    with tempfile.TemporaryFile() as log:
        parent = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _wait_for_consumers(workers)
            pids = _children(parent.pid) or [parent.pid]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            fill(URL, QUEUE, notifications(messages))
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            return _watch(parent, pids)
        finally:
            parent.terminate()
            try:
                parent.wait(30)
            except subprocess.TimeoutExpired:
                parent.kill()
                parent.wait()


def _wait_for_consumers(count: int) -> None:
    deadline = time.monotonic() + 60
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        channel = connection.channel()
        while channel.queue_declare(QUEUE, passive=True).method.consumer_count < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"there are no {count} consumers")
            time.sleep(0.05)


def _watch(parent: subprocess.Popen[bytes], pids: Sequence[int]) -> Drained:
    """From now until the queue is empty; what the workers have not finished by then is no part."""
    broker = _broker()
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        channel = connection.channel()
        first = channel.queue_declare(QUEUE, passive=True).method.message_count
        began, cpu, broker_cpu = time.perf_counter(), sum(map(_cpu, pids)), sum(map(_cpu, broker))
        while channel.queue_declare(QUEUE, passive=True).method.message_count:
            if time.perf_counter() - began > _DEADLINE_SECONDS:
                raise TimeoutError(f"the queue was not drained in {_DEADLINE_SECONDS} s")
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        cpu, broker_cpu = sum(map(_cpu, pids)) - cpu, sum(map(_cpu, broker)) - broker_cpu
        for pid in {parent.pid, *pids}:
            os.kill(pid, signal.SIGKILL)
        taken = first - unfinished(channel, QUEUE)
    return Drained(taken / seconds, cpu / seconds, broker_cpu / seconds)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _broker() -> list[int]:
    """The Erlang machines that run here; RabbitMQ is the one that is at work."""
    names = {int(path.parent.name): path.read_text().strip()
             for path in Path("/proc").glob("[0-9]*/comm")}  # fmt: skip
    return [pid for pid, name in names.items() if name == "beam.smp"]


def _cpu(pid: int) -> float:
    # The command's name, in parentheses, may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
