"""Puts the load into RabbitMQ as a careful service does: confirmed, and again if it was not."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence

import pika
import pika.exceptions

from faults.load import EXCHANGE, QUEUE, SINK
from listeners.rabbitmq_server import OwnRabbitmq

_PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")


class Publisher(threading.Thread):
    """Publishes every body, in `seconds` if it can; `published` counts the confirmed ones."""

    def __init__(self, url: str, bodies: Sequence[bytes], seconds: float) -> None:
        super().__init__(daemon=True)
        self._parameters = pika.URLParameters(url)
        self._parameters.socket_timeout = self._parameters.stack_timeout = 5
        self._parameters.blocked_connection_timeout = 30
        self._bodies = bodies
        self._seconds = seconds
        self.published = self.interrupted = 0

    def run(self) -> None:
        began = time.monotonic()
        while self.published < len(self._bodies):
            try:
                self._publish(began)
            except (pika.exceptions.AMQPError, OSError):
                self.interrupted += 1
                time.sleep(0.2)

    def _publish(self, began: float) -> None:
        connection = pika.BlockingConnection(self._parameters)
        channel = connection.channel()
        channel.confirm_delivery()
        while self.published < len(self._bodies):
            body = self._bodies[self.published]
            channel.basic_publish(EXCHANGE, QUEUE, body, _PERSISTENT, mandatory=True)
            self.published += 1
            due = began + self._seconds * self.published / len(self._bodies)
            time.sleep(max(0.0, due - time.monotonic()))
        connection.close()


def publishers(url: str, bodies: Sequence[bytes], seconds: float) -> list[Publisher]:
    """Several at once, each with a part: a confirm takes as long as RabbitMQ's disk does."""
    count = 4
    return [Publisher(url, bodies[n::count], seconds) for n in range(count)]


def make_queues(url: str, queue_type: str) -> None:
    """The exchange and the queue as a service makes them, and a sink's; empty, whatever was."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    for queue in (QUEUE, SINK):
        channel.queue_delete(queue)
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": queue_type})
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    channel.queue_bind(QUEUE, EXCHANGE, QUEUE)
    connection.close()


def sunk(url: str) -> Counter[str]:
    """The ids of the events that came to the sink's queue, and how often; it is empty then."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    ids: Counter[str] = Counter()
    while (got := channel.basic_get(SINK, auto_ack=True))[0] is not None:
        ids[json.loads(got[2])["message_id"]] += 1
    connection.close()
    return ids


def left(rabbitmq: OwnRabbitmq) -> int:
    """How many messages are in the queue, those that a listener has not acknowledged included."""
    table = rabbitmq.rabbitmqctl("list_queues", "name", "messages")
    counts = dict(line.split() for line in table.splitlines() if line.startswith(QUEUE))
    return int(counts[QUEUE])
