"""Consumes through kombu, over any of its transports, as the transport does it.

AMQP sends messages ahead, up to the prefetch. All others are asked for one message after another,
and never for more than the batch in hand: Kafka commits all that was read so far, and a
message of most others is in nobody's hands but ours once it was read.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from kombu import Connection, Consumer, Exchange, Queue
from kombu.transport import virtual

from pipeline.listeners.bus import received
from pipeline.listeners.bus.settings import BusSettings
from pipeline.listeners.bus.source import TICK_SECONDS, Batch, gather, wait_for

_SHORTEST_WAIT_SECONDS = 0.001


class KombuSource:
    """A `Source` over any transport."""

    def __init__(
        self, connection: Connection, settings: BusSettings, name: str, beat: Callable[[], object]
    ) -> None:
        self._beat = beat
        self._connection, self._settings, self._name = connection, settings, name
        self._taken: list[tuple[Any, str]] = []
        self._held: dict[Any, tuple[Any, str]] = {}
        self._channel: Any = connection.channel()
        self._is_virtual = isinstance(self._channel, virtual.Channel)
        if self._is_virtual:
            self._channel.Message = _tolerant(self._channel.Message)
        ahead = settings.batch_size if self._is_virtual else settings.prefetch
        self._channel.basic_qos(0, ahead, False)
        for queue in queues(settings):
            Consumer(
                self._channel,
                [queue],
                on_message=partial(self._on_message, queue.name),
                auto_declare=settings.declare,
            ).consume()

    def next_batch(self) -> Batch | None:
        """What has come in, up to the batch size. None when nothing came within a tick."""
        gather(self._settings, self._receive, len(self._taken))
        if not self._taken:
            return None
        size = self._settings.batch_size
        taken, self._taken = self._taken[:size], self._taken[size:]
        self._held = {message.delivery_tag: (message, queue) for message, queue in taken}
        messages = [self._message(message, queue) for message, queue in taken]
        return Batch(messages, [message.delivery_tag for message, _ in taken])

    def acknowledge(self, batch: Batch) -> None:
        """Let the transport forget the batch."""
        if self._is_virtual:
            for tag in batch.tags:
                self._channel.basic_ack(tag)
                self._held.pop(tag, None)
        else:
            self._channel.basic_ack(batch.tags[-1], multiple=True)
            self._held.clear()

    def stay_alive_until(self, outcome: Future[None]) -> None:
        """Answer the broker while the commit goes on, if it asks for signs of life."""
        wait_for(outcome, TICK_SECONDS, self._give_sign, self._beat)

    def waiting(self) -> Mapping[str, int]:
        """How many messages wait in each queue, where asking is sure to cost little: AMQP."""
        if self._is_virtual and not _in_memory(self._connection):
            return {}
        return {
            queue.name: queue(self._channel).queue_declare(passive=True).message_count
            for queue in queues(self._settings)
        }

    def close(self) -> None:
        """Give back what was taken and not acknowledged, in its order, and close the channel.

        Most of kombu's transports take a message away when they hand it out; closing puts it back
        only where its exchange is known to this process. Into its own queue it always fits.
        """
        left = [*self._held.values(), *self._taken]
        if self._is_virtual and (self._channel.do_restore or _in_memory(self._connection)):
            for message, queue in left:
                self._channel._put(queue, message.serializable())
                self._channel.basic_ack(message.delivery_tag)
        self._held, self._taken = {}, []
        self._channel.close()

    def _give_sign(self) -> None:
        if not self._is_virtual:
            self._receive(0, 1)

    def _receive(self, seconds: float, most: int) -> int:
        """Take what comes within the time; how many that were."""
        before = len(self._taken)
        if not self._is_virtual:
            # Without any, py-amqp spins over half a frame until the other half comes.
            seconds = max(seconds, _SHORTEST_WAIT_SECONDS)
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=seconds)
        if not self._is_virtual:
            self._connection.heartbeat_check()
        return len(self._taken) - before

    def _on_message(self, queue: str, message: Any) -> None:
        self._taken.append((message, queue))

    def _message(self, message: Any, queue: str) -> Any:
        described = {"content-type": message.content_type, "headers": message.headers}
        return received.message(message.body, described, f"{self._name} {queue}")


def queues(settings: BusSettings) -> list[Queue]:
    """What to listen on, bound to the exchange if there is one."""
    exchange = Exchange(settings.exchange, type="topic", durable=settings.durable)
    bound = {"exchange": exchange} if settings.exchange else {}
    return [
        Queue(name, routing_key=name, durable=settings.durable, **bound)
        for name in settings.queues
    ]


def declare(channel: Any, settings: BusSettings) -> None:
    """For what consumes by itself: let messages of the exchange come into the queues."""
    if settings.declare and settings.exchange:
        for queue in queues(settings):
            queue(channel).declare()


def _in_memory(connection: Connection) -> bool:
    return bool(connection.transport.driver_type == "memory")


def _tolerant(message_class: Any) -> Any:
    """The transport's message class, which also takes what kombu did not make."""
    is_kafka = message_class.__module__.endswith("kafka")

    class Tolerant(message_class):  # type: ignore[misc]  # which class, kombu decides
        def __init__(self, payload: Any, channel: Any = None, **more: Any) -> None:
            if not received.is_wrapped(payload):
                # kombu adds the topic to what it reads from Kafka, and wants it there.
                added = {"topic": payload.pop("topic")} if is_kafka else {}
                payload = received.wrapped(payload, str(uuid.uuid4())) | added
            super().__init__(payload, channel=channel, **more)

    return Tolerant
