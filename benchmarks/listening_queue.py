"""Queues full of captured messages, for the benchmarks that drain them.

`fill` publishes captured Keystone notifications, each with a message id of its own, and returns
when the broker has confirmed all of them. Used by `benchmarks.listening` and its peers.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pika

from pipeline.captured import read_line

URL = os.environ.get("TOCSIN_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2F")
SAMPLE = Path(__file__).parents[1] / "pipeline" / "defaults" / "demo" / "keystone.jsonl"
ACK_EVERY = 100
PREFETCH = 1000
_WINDOW = 500
_IDS = re.compile(rb'(?<=\\"message_id\\": \\")[0-9a-f-]+|(?<=\\"_unique_id\\": \\")[0-9a-f]+')
_AS_OSLO_SENDS = pika.BasicProperties(
    content_type="application/json",
    content_encoding="utf-8",
    delivery_mode=2,
    priority=0,
    headers={},
)


def notifications(count: int, sample: Path = SAMPLE) -> Iterator[bytes]:
    """That many captured notifications, over and over, each with ids of its own."""
    bodies = [_IDS.split(read_line(line).body) for line in sample.read_bytes().splitlines()]
    for head, middle, tail in islice(cycle(bodies), count):
        own = uuid.uuid4()
        # oslo.messaging passes over a `_unique_id` that it has just seen.
        yield b"".join((head, str(own).encode(), middle, own.hex.encode(), tail))


def declare(url: str, queue: str, queue_type: str) -> None:
    """A new, empty, durable queue; what had that name is deleted."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_delete(queue)
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": queue_type})


def delete(url: str, queue: str, exchange: str = "") -> None:
    """Delete the queue and what is in it, and the exchange that a listener made for it."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_delete(queue)
        if exchange:
            channel.exchange_delete(exchange)


def unfinished(channel: Any, queue: str) -> int:
    """How many messages were out unacknowledged, once whoever had them was killed."""
    while (found := channel.queue_declare(queue, passive=True).method).consumer_count:
        time.sleep(0.01)
    return int(found.message_count)


def fill(url: str, queue: str, bodies: Iterable[bytes]) -> None:
    """Publish these to the queue, a window at a time; returns when all are confirmed."""
    _Publisher(url, queue, bodies).run()


class _Publisher:
    """Publishes a window, waits for its confirmations, publishes the next."""

    def __init__(self, url: str, queue: str, bodies: Iterable[bytes]) -> None:
        self._queue, self._bodies = queue, iter(bodies)
        self._channel: Any = None
        self._sent = self._confirmed = 0
        self._connection = pika.SelectConnection(
            pika.URLParameters(url),
            on_open_callback=lambda opened: opened.channel(on_open_callback=self._on_channel),
            on_open_error_callback=self._on_failure,
            on_close_callback=lambda _closed, _reason: self._connection.ioloop.stop(),
        )
        self._error: BaseException | None = None

    def run(self) -> None:
        self._connection.ioloop.start()
        if self._error:
            raise self._error
        if self._confirmed < self._sent:
            raise ConnectionError(f"only {self._confirmed} of {self._sent} were confirmed")

    def _on_failure(self, _connection: Any, error: BaseException) -> None:
        self._error = error
        self._connection.ioloop.stop()

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.confirm_delivery(self._on_confirmed, callback=lambda _frame: self._send_window())

    def _on_confirmed(self, frame: Any) -> None:
        self._confirmed = (
            frame.method.delivery_tag if frame.method.multiple else (self._confirmed + 1)
        )
        if self._confirmed >= self._sent:
            self._send_window()

    def _send_window(self) -> None:
        before = self._sent
        for body in islice(self._bodies, _WINDOW):
            self._channel.basic_publish("", self._queue, body, _AS_OSLO_SENDS)
            self._sent += 1
        if self._sent == before:
            self._connection.close()
