"""`redis://`, `filesystem://`, `memory://`, `sqs://`, `kafka://`, …: each event a JSON message on
whatever kombu can send to.

Options: `queue`, declared if it is missing (`topic` means the same); or `exchange`, of
`exchange_type` (topic), declared too, with `routing_key` (the event type, where it is not given),
and `queue` then bound to it by that key; `tls_ca_file`, the authorities that `rediss://` trusts in
place of the system's. Every other argument is a transport option of kombu's:
`redis://host/0?queue=events&visibility_timeout=3600`.

An event counts as published when the transport's own send has returned: on Redis and in a folder
it is there then, in Kafka when its brokers have said so; what SQS promises, its client decides.
RabbitMQ is `amqp://`, which waits for the broker's confirms.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import kombu
from kombu.exceptions import KombuError
from marshmallow import Schema, fields

from pipeline import kombu_clients
from pipeline.errors import InvalidValue, PublishFailed
from pipeline.event import Event
from pipeline.masking import mask_url
from pipeline.publishers.base import Tools
from pipeline.publishers.url_options import one_of, read_options
from pipeline.publishers.wire import event_json

_AT_ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
"""kombu tries to connect for seconds and more; here that is left to who calls."""

_KAFKA = frozenset({"kafka", "confluentkafka"})


class BusPublisher:
    """Publishes events through one of kombu's transports. Safe from many threads."""

    def __init__(self, url: str, tools: Tools) -> None:
        self.url = url
        self._options = read_options(url, own := _Options(), others=True)
        self._queue: str = self._options["queue"] or self._options["topic"]
        self._key: str = self._options["routing_key"]
        if not self._options["exchange"]:
            self._key = self._queue
        if not (self._queue or self._options["exchange"]):
            raise InvalidValue("says not where to publish. Add ?queue=NAME, or ?exchange=NAME.")
        self._timeout = tools.settings.timeout_seconds
        self._transport_options = _transport_options(url, own)
        self._producer: kombu.Producer | None = None
        self._given_up = ""
        self._lock = threading.Lock()
        _check_transport(self._connection(), url)

    def publish(self, events: Sequence[Event]) -> None:
        """Publish each event as a message of its own, in order."""
        with self._lock:
            for position, event in enumerate(events):
                try:
                    self._send(event)
                except _failures(self._producer) as error:
                    self._drop()
                    why = str(error) or type(error).__name__
                    left = range(position, len(events))
                    message = f"{mask_url(self.url)}: {mask_url(why).rstrip('.')}."
                    raise PublishFailed(message, left) from error
                except BaseException:
                    self._drop()
                    raise

    def close(self) -> None:
        """Let go of the connection; the next events open it again."""
        with self._lock:
            self._drop()

    def _send(self, event: Event) -> None:
        producer = self._producer = self._producer or self._open()
        self._given_up = ""
        producer.publish(
            event_json(event),
            routing_key=self._key or event.event_type,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=2,
            message_id=event.message_id,
            type=event.event_type,
            app_id="tocsin",
        )
        if self._given_up:
            raise KombuError(self._given_up)

    def _open(self) -> kombu.Producer:
        connection = self._connection()
        try:
            channel = connection.default_channel
            exchange = self._exchange()
            if exchange.name:
                exchange(channel).declare()
            if self._queue:
                key = (self._options["routing_key"] or "#") if exchange.name else self._queue
                kombu.Queue(self._queue, exchange, routing_key=key)(channel).declare()
            return kombu.Producer(channel, exchange, auto_declare=False)
        except BaseException:
            connection.release()
            raise

    def _exchange(self) -> kombu.Exchange:
        name: str = self._options["exchange"]
        # The one without a name brings a message to the queue that its routing key names.
        return kombu.Exchange(name, self._options["exchange_type"] if name else "direct")

    def _connection(self) -> kombu.Connection:
        plain = self.url.partition("?")[0]
        options = {**_AT_ONCE, "socket_timeout": self._timeout, **self._transport_options}
        if urlsplit(plain).scheme in _KAFKA:
            options["kafka_producer_config"] = self._kafka_producer()
        return kombu.Connection(
            plain,
            connect_timeout=self._timeout,
            ssl=self._tls() if urlsplit(plain).scheme == "rediss" else False,
            transport_options=options,
            heartbeat=0,
        )

    def _tls(self) -> Mapping[str, Any]:
        """By itself kombu lets whoever answers at a rediss:// URL be the server."""
        return {
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "ssl_check_hostname": True,
            "ssl_ca_certs": self._options["tls_ca_file"] or None,
        }

    def _kafka_producer(self) -> Mapping[str, Any]:
        """By itself the client gives up after five minutes, and tells nobody who does not ask."""

        def delivered(error: Any, _message: Any) -> None:
            if error is not None:
                self._given_up = str(error)

        milliseconds = max(round(self._timeout * 1000), 1)
        return {
            "on_delivery": delivered,
            "message.timeout.ms": milliseconds,
            "socket.timeout.ms": max(milliseconds, 10),
        }

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # What was sent is sent; a connection that is broken cannot be closed in good form.
            with suppress(*_failures(producer)):
                producer.channel.connection.client.release()


def _failures(producer: kombu.Producer | None) -> tuple[type[BaseException], ...]:
    """What a transport raises for what may pass; each has errors of its own."""
    if producer is None:
        return (OSError, KombuError)
    transport = producer.channel.connection
    return (OSError, KombuError, *transport.connection_errors, *transport.channel_errors)


def _check_transport(connection: kombu.Connection, url: str) -> None:
    """Whether the client library of the transport is installed. Connects to nothing."""
    scheme = urlsplit(url).scheme
    try:
        connection.transport  # noqa: B018 - made when it is asked for
    except kombu_clients.MISSING as error:
        raise InvalidValue(
            f"{scheme}:// needs a client that is not installed ({error}). "
            f"Run pip install '{kombu_clients.package_for(scheme)}'"
        ) from error


class _Options(Schema):
    queue = fields.String(load_default="")
    topic = fields.String(load_default="")
    exchange = fields.String(load_default="")
    exchange_type = fields.String(
        load_default="topic",
        validate=one_of("topic", "direct", "fanout"),
    )
    routing_key = fields.String(load_default="")
    tls_ca_file = fields.String(load_default="")


def _transport_options(url: str, own: Schema) -> dict[str, Any]:
    """The URL's other arguments, numbers and truths as such."""
    given = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return {name: _read(text) for name, text in given if name not in own.fields}


def _read(text: str) -> Any:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text
