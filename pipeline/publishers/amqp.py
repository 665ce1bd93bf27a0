"""`amqp(s)://user:password@host:port/vhost?exchange=&routing_key=`: each event a JSON message.

With `routing_key`, to that queue of the default exchange, or with that key to `exchange`. With
`exchange` alone the routing key is the event type, which fits a topic exchange:
`compute.instance.#`. Messages are persistent and carry the event's id as `message_id`. The broker
confirms each one; one that no queue takes counts as not published. Exchanges and queues are left
to whoever reads them: this declares none. For amqps:// `rabbitmq.tls_…` say whom to trust.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from marshmallow import Schema, fields

from pipeline.amqp_sender import AmqpSender, Letter
from pipeline.errors import InvalidValue
from pipeline.event import Event
from pipeline.publishers.base import Tools
from pipeline.publishers.url_options import checked_authority, read_options
from pipeline.publishers.wire import event_json

_LONGEST_NAME = 255
"""AMQP's short strings are this many bytes."""


class AmqpPublisher:
    """Publishes events to an AMQP broker. Safe from many threads."""

    def __init__(self, url: str, tools: Tools) -> None:
        self.url = url
        checked_authority(url)
        options = read_options(url, _Options())
        self._exchange: str = options["exchange"]
        self._routing_key: str = options["routing_key"]
        if not (self._exchange or self._routing_key):
            raise InvalidValue(
                "says not where to publish. Add ?routing_key= with a queue, or ?exchange= with "
                "an exchange to which the event types are the routing keys."
            )
        plain = urlunsplit(urlsplit(url)._replace(query="", fragment=""))
        self._sender = AmqpSender([plain], tools.broker, tools.settings.timeout_seconds)

    def publish(self, events: Sequence[Event]) -> None:
        """Publish each event as a message of its own; returns when all are confirmed."""
        self._sender.send([self._letter(event) for event in events])

    def close(self) -> None:
        """Let go of the connection."""
        self._sender.close()

    def _letter(self, event: Event) -> Letter:
        properties: Mapping[str, Any] = {
            "type": _short(event.event_type),
            "app_id": "tocsin",
            "timestamp": int(event.generated.timestamp()),
        }
        key = self._routing_key or _short(event.event_type)
        message_id = _short(event.message_id)
        return Letter(message_id, event_json(event), self._exchange, key, properties)


class _Options(Schema):
    exchange = fields.String(load_default="")
    routing_key = fields.String(load_default="")


def _short(text: str) -> str:
    return text.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
