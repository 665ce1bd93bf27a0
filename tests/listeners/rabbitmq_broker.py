"""What the RabbitMQ listener's tests share: a broker to publish to and look at, and a log to read.

Everything here speaks to a real broker, through a connection of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pika
import pika.exceptions
import structlog
from structlog.testing import LogCapture

from pipeline.listeners.rabbitmq import RabbitmqListener, RabbitmqSettings

from listeners.contract import RecordingWorker

PERSISTENT = pika.BasicProperties(
    content_type="application/json",
    content_encoding="utf-8",
    delivery_mode=2,
    priority=0,
    headers={},
)


def settings_for(topic: str, **changes: Any) -> RabbitmqSettings:
    """Settings for one topic on the exchange of the same name, `info` only, quick to come back."""
    defaults: dict[str, Any] = {
        "topics": (topic,),
        "priorities": ("info",),
        "exchanges": (topic,),
        "reconnect_min_seconds": 0.05,
        "reconnect_max_seconds": 0.4,
    }
    return RabbitmqSettings(**{**defaults, **changes})


class Broker:
    """A broker as seen by a publisher or an operator."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel on a connection of its own."""
        connection = pika.BlockingConnection(pika.URLParameters(self._url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def declare(self, queue: str, **flags: Any) -> None:
        """Declare a queue."""
        with self.channel() as channel:
            channel.queue_declare(queue, **flags)

    def exchange(self, name: str, **flags: Any) -> None:
        """Declare a topic exchange."""
        with self.channel() as channel:
            channel.exchange_declare(name, "topic", **flags)

    def send(self, queue: str, bodies: Sequence[bytes], properties: Any = PERSISTENT) -> None:
        """Put messages into a queue; they are in it when this returns."""
        with self.channel() as channel:
            channel.confirm_delivery()
            for body in bodies:
                channel.basic_publish("", queue, body, properties, mandatory=True)

    def publish(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Publish through an exchange. Fails when no queue took it."""
        with self.channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish(exchange, routing_key, body, PERSISTENT, mandatory=True)

    def ready(self, queue: str) -> int:
        """How many messages wait in the queue, not counting those with a consumer."""
        return int(self._look(queue).message_count)

    def consumers(self, queue: str) -> int:
        """How many consumers the queue has; 0 when there is no such queue."""
        return int(self._look(queue).consumer_count) if self.has_queue(queue) else 0

    def has_queue(self, queue: str) -> bool:
        """Whether there is such a queue."""
        return self._accepts(lambda channel: channel.queue_declare(queue, passive=True))

    def has_exchange(self, exchange: str) -> bool:
        """Whether there is such an exchange."""
        return self._accepts(lambda channel: channel.exchange_declare(exchange, passive=True))

    def queue_is(self, queue: str, **flags: Any) -> bool:
        """Whether the queue, which must exist, has exactly these flags and arguments."""
        assert self.has_queue(queue)
        return self._accepts(lambda channel: channel.queue_declare(queue, **flags))

    def delete(self, *queues: str) -> None:
        """Delete queues."""
        with self.channel() as channel:
            for queue in queues:
                channel.queue_delete(queue)

    def _look(self, queue: str) -> Any:
        with self.channel() as channel:
            return channel.queue_declare(queue, passive=True).method

    def _accepts(self, ask: Callable[[Any], object]) -> bool:
        with self.channel() as channel:
            try:
                ask(channel)
            except pika.exceptions.ChannelClosedByBroker:
                return False
        return True


class Log:
    """A structlog logger's lines, to be read: `log.events`, `log.lines("rabbitmq.refused")`."""

    def __init__(self) -> None:
        self._captured = LogCapture()
        self.logger = structlog.wrap_logger(None, processors=[self._captured])

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self._captured.entries]

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Every line of this event."""
        return [dict(line) for line in self._captured.entries if line["event"] == event]

    def text(self) -> str:
        """All of it, to look for what must not be in it."""
        return repr(self._captured.entries)


def a_listener(
    url: str, settings: RabbitmqSettings, worker: RecordingWorker, log: Log | None = None
) -> RabbitmqListener[Any]:
    """A listener on this broker."""
    logger = (log or Log()).logger
    return RabbitmqListener(settings, url, worker, log=logger, jitter=lambda: 0.0)
