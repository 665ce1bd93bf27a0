"""One connection's life as a consumer: deliveries in, batches out, acknowledgements back.

All queues share one channel. Delivery tags count up by channel, in the order of delivery, so one
acknowledgement with `multiple` covers a whole batch whatever queues it came from. No queue goes
first: the broker sends from each in turn, with a prefetch of its own, so that a flood of `info`
never holds up an `error`. The tags die with the channel; nothing of them outlives this object.

Never decides when to connect again, and never looks at what is in a message. Only the listener's
thread may call it, but for `wake`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from pika.exceptions import ChannelClosedByBroker, ConnectionWrongStateError

from pipeline.errors import BrokerError
from pipeline.listeners.base import Message
from pipeline.listeners.rabbitmq.deliveries import Delivery, properties_of, read_deliveries
from pipeline.listeners.rabbitmq.refusals import explained
from pipeline.listeners.rabbitmq.settings import RabbitmqSettings

TICK_SECONDS = 0.2
"""The longest that a call waits for the broker, so that a wish to stop is soon seen."""


_NOT_FOUND = 404


class Batch(NamedTuple):
    """Messages to be worked on together, in the order of delivery, and the last one's tag."""

    messages: list[Message]
    last_tag: int


class Consumer:
    """Consumes on a connection. Its methods raise pika's `AMQPError` once that is lost."""

    def __init__(self, connection: Any, settings: RabbitmqSettings, broker: str, log: Any) -> None:
        self._connection = connection
        self._settings = settings
        self._log = log
        self._source = _sources(broker)
        self._messages: list[Message] = []
        self._tags: list[int] = []
        self._queues: dict[str, str] = {}
        self._channel = connection.channel()
        self._channel.basic_qos(prefetch_count=settings.prefetch)
        self._channel.add_on_cancel_callback(self._on_cancelled)
        read_deliveries(connection, self._channel, self._take_in)

    @property
    def queues(self) -> list[str]:
        """The queues that are consumed; the broker may have cancelled some since."""
        return list(self._queues.values())

    def consume(self, queue: str) -> None:
        """Let messages of this queue come in as well. Raises `BrokerError` if we may not."""
        try:
            tag = self._channel.basic_consume(queue, self._on_message)
        except ChannelClosedByBroker as refusal:
            if refusal.reply_code == _NOT_FOUND:
                raise
            action = f"listen to queue {queue!r}"
            text = explained(action, refusal.reply_code, refusal.reply_text)
            raise BrokerError(text) from refusal
        self._queues[tag] = queue

    def next_batch(self) -> Batch | None:
        """What has come in, up to the batch size. None when nothing came within a tick.

        A batch gathers only while there is more at hand. What came alone goes on at once: all
        that had come was read with it.
        """
        if not self._messages:
            self._receive(TICK_SECONDS)
        size = self._settings.batch_size
        gathered_by = time.monotonic() + self._settings.batch_wait_seconds
        while 1 < len(self._messages) < size:
            before = len(self._messages)
            self._receive(0)
            if len(self._messages) == before or time.monotonic() >= gathered_by:
                break
        return self._take(size) if self._messages else None

    def acknowledge(self, last_tag: int) -> None:
        """Tell the broker that it may forget this delivery, and all before it."""
        self._check_open()
        self._channel.basic_ack(last_tag, multiple=True)

    def stay_alive_until(self, outcome: Future[None]) -> None:
        """Answer the broker until the commit has ended, however that is. Its end must `wake`.

        What is delivered meanwhile, the prefetch at most, waits for its batch.
        """
        while not outcome.done():
            self._connection.process_data_events(TICK_SECONDS)

    def wake(self, _: object = None) -> None:
        """Let a call that waits for the broker return. From any thread."""
        with suppress(ConnectionWrongStateError):
            self._connection.add_callback_threadsafe(lambda: None)

    def finish(self) -> None:
        """Make sure that the broker has carried out every acknowledgement.

        Closing right behind them leaves acknowledged messages in a quorum queue (964 of 40,000
        were measured); an answer on the same channel comes only after them.
        """
        self._channel.basic_qos(prefetch_count=self._settings.prefetch)

    def _receive(self, seconds: float) -> None:
        self._connection.process_data_events(seconds)
        self._check_open()

    def _check_open(self) -> None:
        if self._channel.is_closed:
            # pika tells why only to the call during which it happens; else it keeps it in here.
            reason = getattr(self._channel, "_closing_reason", None)
            raise reason or ChannelClosedByBroker(0, "the broker closed the channel")

    def _take(self, size: int) -> Batch:
        messages, tags = self._messages, self._tags
        if len(messages) <= size:
            self._messages, self._tags = [], []
            return Batch(messages, tags[-1])
        self._messages, self._tags = messages[size:], tags[size:]
        return Batch(messages[:size], tags[size - 1])

    def _on_message(self, _channel: Any, deliver: Any, properties: Any, body: bytes) -> None:
        route = deliver.exchange, deliver.routing_key
        self._take_in(Delivery(deliver.delivery_tag, route, properties_of(properties), body))

    def _take_in(self, delivery: Delivery) -> None:
        # The hot path: all that happens to a message before its batch.
        tag, route, (content_type, headers), body = delivery
        self._messages.append(Message(body, content_type, headers, self._source(route)))
        self._tags.append(tag)

    def _on_cancelled(self, frame: Any) -> None:
        queue = self._queues.pop(frame.method.consumer_tag, None)
        self._log.warning("rabbitmq.cancelled", queue=queue, reason="queue deleted or moved")


def _sources(broker: str) -> Callable[[tuple[str, str]], str]:
    """Gives the `source` of messages; made once for each exchange and routing key."""

    @lru_cache(maxsize=1024)
    def source(route: tuple[str, str]) -> str:
        exchange, routing_key = route
        # The exchange without a name has none to show.
        return " ".join(filter(None, ("rabbitmq", broker, exchange, routing_key)))

    return source
