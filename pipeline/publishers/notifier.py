"""`notifier://[user:password@host:port/vhost]?topic=&policy=&…`: as Ceilometer publishes.

What is published is, to the byte, what Ceilometer's notifier publisher sends: to the queue
`<topic>.sample` one oslo message (envelope 2.0) of event_type `event` and priority SAMPLE, whose
payload is the list of events, each with its `message_signature`. `?topic=alarm.all` feeds an Aodh.

Options: `topic` (event; may be given several times), `driver` (rabbit), `exchange` (ceilometer,
the control exchange of the services that read it), `policy`, `max_queue_length`, `max_retry`.
Several hosts, `user:password@a:5672,user:password@b:5672`, are nodes of one broker. Without a host
it is the first of `rabbitmq.urls`, else the one on this machine.

`policy` is `default` or `queue`: what the broker does not take is kept in the store and published
when it does. Ceilometer would hold so many messages and drop the oldest, or try so many times:
`max_queue_length` and `max_retry` may stand there, and bound nothing, for nothing is dropped.
`policy=drop` drops it with a line in the log, for those who want that.
"""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import amqp
import amqp.exceptions
from marshmallow import Schema, fields
from marshmallow.validate import Range

from pipeline.amqp_sender import AmqpSender, Letter
from pipeline.errors import InvalidValue, PublishFailed
from pipeline.event import Event
from pipeline.publishers.base import Broker, Tools
from pipeline.publishers.url_options import checked_authority, one_of, read_options
from pipeline.publishers.wire import portions
from pipeline.signature import signed

_HERE = "amqp://guest:guest@localhost:5672/"
_NAMESPACE = uuid.UUID("6a1c4d52-50bb-5f0f-9d5b-3f3a3b1f5a60")
"""Of the ids of our messages: the same events published again have the same id."""


class NotifierPublisher:
    """Publishes events as oslo notifications. Safe from many threads."""

    def __init__(self, url: str, tools: Tools) -> None:
        self.url = url
        options = read_options(url, _Options())
        self._topics = tuple(dict.fromkeys(_topics(url))) or ("event",)
        self._exchange: str = options["exchange"]
        self._drops = options["policy"] == "drop"
        self._secret = tools.settings.telemetry_secret
        self._clock, self._log = tools.clock, tools.log
        self._publisher_id = f"telemetry.publisher.{socket.gethostname()}"
        prepare = declares([f"{topic}.sample" for topic in self._topics], self._exchange, tools)
        urls = brokers(url, options["driver"], tools.broker)
        timeout = tools.settings.timeout_seconds
        self._sender = AmqpSender(urls, tools.broker, timeout, prepare)

    def publish(self, events: Sequence[Event]) -> None:
        """Publish a message with all of them; several, where one would be very large."""
        try:
            self._sender.send(list(self._letters(events)))
        except PublishFailed as error:
            if not self._drops:
                # Positions count letters, not events.
                raise type(error)(str(error)) from error
            self._log.warning("publisher.dropped", events=len(events), error=str(error))

    def close(self) -> None:
        """Let go of the connection."""
        self._sender.close()

    def _letters(self, events: Sequence[Event]) -> Iterator[Letter]:
        wire = [signed(event.as_dict(), self._secret) for event in events]
        # As oslo.messaging writes JSON, NaN and all: its listeners read it with the same library.
        documents = [json.dumps(event).encode("ascii") for event in wire]
        for portion in portions(documents):
            for topic in self._topics:
                yield self._letter(topic, wire[portion])

    def _letter(self, topic: str, payload: list[dict[str, Any]]) -> Letter:
        said = "\n".join([self.url, topic, *(event["message_id"] for event in payload)])
        message_id = uuid.uuid5(_NAMESPACE, said.encode("utf-8", "replace").decode())
        notification = {
            "message_id": str(message_id),
            "publisher_id": self._publisher_id,
            "event_type": "event",
            "priority": "SAMPLE",
            "payload": payload,
            "timestamp": f"{self._clock():%Y-%m-%d %H:%M:%S.%f}",
            "_unique_id": message_id.hex,
        }
        envelope = {"oslo.version": "2.0", "oslo.message": json.dumps(notification)}
        body = json.dumps(envelope).encode("ascii")
        return Letter(message_id.hex, body, self._exchange, f"{topic}.sample")


# --- the broker ------------------------------------------------------------------------------


def declares(queues: Sequence[str], exchange: str, tools: Tools) -> Callable[[Any], None]:
    """What declares exchange and queues as oslo's driver does, so that nothing is lost before
    somebody listens; what is there already is left as it is, whatever its flags."""
    broker = tools.broker

    def prepare(connection: Any) -> None:
        if not _is_there(
            connection, lambda c: c.exchange_declare(exchange, "topic", passive=True)
        ):
            with connection.channel() as channel:
                channel.exchange_declare(
                    exchange, "topic", durable=broker.durable, auto_delete=broker.auto_delete
                )
        for queue in queues:
            _prepare_queue(connection, queue, exchange, broker)

    return prepare


def _prepare_queue(connection: Any, queue: str, exchange: str, broker: Broker) -> None:
    there = _is_there(connection, lambda channel: channel.queue_declare(queue, passive=True))
    with connection.channel() as channel:
        if not there:
            channel.queue_declare(
                queue,
                durable=broker.durable,
                auto_delete=broker.auto_delete,
                arguments=dict(broker.arguments),
            )
        channel.queue_bind(queue, exchange, routing_key=queue)


def _is_there(connection: Any, look: Callable[[Any], object]) -> bool:
    """Look on a channel of its own, for the broker closes it to say no."""
    channel = connection.channel()
    try:
        look(channel)
    except amqp.exceptions.NotFound:
        return False
    channel.close()
    return True


# --- the URL ---------------------------------------------------------------------------------


def _count() -> fields.Integer:
    return fields.Integer(
        validate=Range(min=-1, error="give a number from -1 on, not {input}."),
        error_messages={"invalid": "expects a number, as 100."},
    )


class _Options(Schema):
    topic = fields.String()
    exchange = fields.String(load_default="ceilometer")
    driver = fields.String(load_default="rabbit", validate=one_of("rabbit", "amqp", "amqps"))
    policy = fields.String(load_default="default", validate=one_of("default", "queue", "drop"))
    max_queue_length = _count()
    max_retry = _count()
    per_meter_topic = _count()


def _topics(url: str) -> list[str]:
    return [text for name, text in parse_qsl(urlsplit(url).query) if name == "topic"]


def brokers(url: str, driver: str, broker: Broker) -> list[str]:
    """The broker's nodes as amqp:// URLs."""
    parts = urlsplit(url)
    if not parts.netloc:
        if parts.path.strip("/"):
            raise InvalidValue(
                f"names no host before {parts.path!r}. Write notifier://user:password@host:5672/…"
            )
        return list(broker.urls[:1]) or [_HERE]
    scheme = "amqps" if driver == "amqps" else "amqp"
    nodes = [f"{scheme}://{node}{parts.path}" for node in parts.netloc.split(",") if node]
    for node in nodes:
        checked_authority(node)
    return nodes
