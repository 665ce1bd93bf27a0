"""`oslo://[user:password@host:port/vhost]?topic=&exchange=&driver=`: each event as a notification
of oslo.messaging's, as services send them: envelope 2.0, to the queue `<topic>.<priority>`.

The payload is the notification's own where the event kept it (`store_raw`, self-notifications),
else the event's traits. Options: `topic` (notifications), `exchange` (aodh: self-notifications go
where Aodh's go), `driver` (rabbit). Without a host it is the first of `rabbitmq.urls`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, fields

from pipeline.amqp_sender import AmqpSender, Letter
from pipeline.event import Event
from pipeline.publishers.base import Tools
from pipeline.publishers.notifier import brokers, declares
from pipeline.publishers.url_options import one_of, read_options

_NAMESPACE = uuid.UUID("0b6c7b7e-6f3c-5a53-8d0e-57e1f8a0c9d4")
"""Of the unique ids: an event that is published again has the same."""

_PRIORITIES = frozenset({"audit", "debug", "info", "warn", "error", "critical", "sample"})


class OsloPublisher:
    """Publishes events as oslo notifications. Safe from many threads."""

    def __init__(self, url: str, tools: Tools) -> None:
        self.url = url
        options = read_options(url, _Options())
        self._topic, self._exchange = options["topic"], options["exchange"]
        # Those that were needed so far; they are declared with each connection, and when a
        # message finds no queue.
        self._queues = [f"{self._topic}.info"]
        prepare = declares(self._queues, self._exchange, tools)
        urls = brokers(url, options["driver"], tools.broker)
        timeout = tools.settings.timeout_seconds
        self._sender = AmqpSender(urls, tools.broker, timeout, prepare)

    def publish(self, events: Sequence[Event]) -> None:
        """Publish a message for each event."""
        letters = [self._letter(event) for event in events]
        for queue in dict.fromkeys(letter.routing_key for letter in letters):
            if queue not in self._queues:
                self._queues.append(queue)
        self._sender.send(letters)

    def close(self) -> None:
        """Let go of the connection."""
        self._sender.close()

    def _letter(self, event: Event) -> Letter:
        message = _notification(event)
        envelope = {"oslo.version": "2.0", "oslo.message": json.dumps(message, default=str)}
        body = json.dumps(envelope).encode("ascii")
        queue = f"{self._topic}.{message['priority'].lower()}"
        return Letter(message["_unique_id"], body, self._exchange, queue)


def _notification(event: Event) -> dict[str, Any]:
    raw, values = event.raw, event.values
    priority = str(raw.get("priority") or values.get("priority") or "info").lower()
    context = raw.get("ctxt")
    said = event.message_id.encode("utf-8", "replace").decode()
    return {
        "message_id": event.message_id,
        "publisher_id": raw.get("publisher_id") or values.get("service") or "",
        "event_type": event.event_type,
        "priority": (priority if priority in _PRIORITIES else "info").upper(),
        "payload": raw["payload"] if "payload" in raw else _traits(event),
        "timestamp": f"{event.generated:%Y-%m-%d %H:%M:%S.%f}",
        "_unique_id": uuid.uuid5(_NAMESPACE, said).hex,
        **{f"_context_{k}": v for k, v in (context if isinstance(context, dict) else {}).items()},
    }


def _traits(event: Event) -> dict[str, Any]:
    return {name: value for name, _, value in event.as_dict()["traits"]}


class _Options(Schema):
    topic = fields.String(load_default="notifications")
    exchange = fields.String(load_default="aodh")
    driver = fields.String(
        load_default="rabbit",
        validate=one_of("rabbit", "amqp", "amqps"),
    )
