"""What the RabbitMQ listener is measured against: pika alone.

`bare_consumer` takes messages off a queue and acknowledges every hundredth for all before it,
which is the least that any consumer must do. `benchmarks.listening` sets it beside
`tocsin listener`. By itself this file compares pika's adapters, and Tocsin's listener with a
worker that does nothing:

    python -m benchmarks.listening_peers [--messages 20000] [--rounds 5] [--queue-type quorum]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pika

from benchmarks.listening_queue import (
    ACK_EVERY,
    PREFETCH,
    URL,
    declare,
    delete,
    fill,
    notifications,
)
from pipeline.listeners.base import Message
from pipeline.listeners.rabbitmq import RabbitmqListener, RabbitmqSettings


def select_consumer(url: str, queue: str, count: int) -> None:
    """pika's callbacks without any wrapping: SelectConnection."""
    received = 0

    def on_channel(channel: Any) -> None:
        channel.basic_qos(
            prefetch_count=PREFETCH,
            callback=lambda _frame: channel.basic_consume(queue, on_message),
        )

    def on_message(channel: Any, deliver: Any, _properties: Any, _body: bytes) -> None:
        nonlocal received
        received += 1
        if received % ACK_EVERY == 0 or received == count:
            channel.basic_ack(deliver.delivery_tag, multiple=True)
        if received == count:
            channel.basic_qos(prefetch_count=PREFETCH, callback=lambda _frame: connection.close())

    connection = pika.SelectConnection(
        pika.URLParameters(url),
        on_open_callback=lambda opened: opened.channel(on_open_callback=on_channel),
        on_close_callback=lambda _closed, _reason: connection.ioloop.stop(),
    )
    connection.ioloop.start()


def blocking_consumer(url: str, queue: str, count: int) -> None:
    """pika's BlockingConnection, with a callback for each message."""
    received = 0

    def on_message(channel: Any, deliver: Any, _properties: Any, _body: bytes) -> None:
        nonlocal received
        received += 1
        if received % ACK_EVERY == 0 or received == count:
            channel.basic_ack(deliver.delivery_tag, multiple=True)

    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=PREFETCH)
        channel.basic_consume(queue, on_message)
        while received < count:
            connection.process_data_events(1.0)
        channel.basic_qos(prefetch_count=PREFETCH)


def generator_consumer(url: str, queue: str, count: int) -> None:
    """pika's BlockingChannel.consume, a generator of messages."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=PREFETCH)
        for received, (deliver, _properties, _body) in enumerate(channel.consume(queue), 1):
            if received % ACK_EVERY == 0 or received == count:
                channel.basic_ack(deliver.delivery_tag, multiple=True)
            if received == count:
                break
        channel.basic_qos(prefetch_count=PREFETCH)


bare_consumer = select_consumer
"""The fastest of them; what Tocsin is measured against."""


def tocsin_consumer(url: str, queue: str, count: int) -> None:
    """Tocsin's listener with a worker to which nothing matters."""
    worker = _Idle(count)
    topic, _, priority = queue.rpartition(".")
    settings = RabbitmqSettings(
        topics=(topic,), priorities=(priority,), exchanges=(), prefetch=PREFETCH
    )
    listener = RabbitmqListener(settings, url, worker, log=_SILENT)
    worker.on_last = listener.stop
    listener.run()


class _Idle:
    """Decides that nothing is to be done; calls `on_last` when it has seen all."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.on_last: Callable[[], None] = lambda: None

    def decide(self, messages: Sequence[Message]) -> None:
        self._left -= len(messages)
        if self._left <= 0:
            self.on_last()

    def commit(self, decisions: object) -> None:
        raise AssertionError("nothing was decided")


class _Silent:
    """A logger that says nothing."""

    def bind(self, **_values: object) -> _Silent:
        return self

    def info(self, _event: str, **_values: object) -> None:
        return None

    warning = error = debug = info


_SILENT = _Silent()

CONSUMERS: dict[str, Callable[[str, str, int], None]] = {
    "pika SelectConnection": select_consumer,
    "pika BlockingConnection": blocking_consumer,
    "pika consume()": generator_consumer,
    "Tocsin, idle worker": tocsin_consumer,
}


def main() -> None:
    """Compare the consumers and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queue-type", choices=("classic", "quorum"), default="quorum")
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in CONSUMERS}
    cpu: dict[str, list[float]] = {name: [] for name in CONSUMERS}
    for turn in range(arguments.rounds):
        names = list(CONSUMERS)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            seconds, cpu_seconds = _measured(name, arguments.queue_type, arguments.messages)
            rates[name].append(arguments.messages / seconds)
            cpu[name].append(cpu_seconds / arguments.messages * 1e6)
    print(f"{arguments.queue_type} queue, {arguments.messages} messages, medians:")
    for name in CONSUMERS:
        rate, microseconds = statistics.median(rates[name]), statistics.median(cpu[name])
        print(f"{name:26} {rate:9,.0f} messages/s {microseconds:6.1f} µs of CPU (least "
              f"{min(cpu[name]):.1f})")  # fmt: skip


def _measured(name: str, queue_type: str, count: int) -> tuple[float, float]:
    queue = f"tocsin_bench_{uuid.uuid4().hex[:8]}.info"
    declare(URL, queue, queue_type)
    try:
        fill(URL, queue, notifications(count))
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        CONSUMERS[name](URL, queue, count)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    finally:
        delete(URL, queue)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
