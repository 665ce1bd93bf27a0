"""AMQP: `amqp(s)://user:password@host:port/vhost?exchange=&routing_key=` actions send a message.

With `routing_key` alone it goes to that queue, with `exchange` by that key, which is a template
and by itself `{{ kind }}.{{ severity }}`: a topic exchange brings it to whoever bound
`alarm-transition.*`. Messages are persistent, JSON (`pipeline.targets.document`), and carry the
delivery's id as `message_id`, so that a receiver can drop a repeat. The broker confirms each.
Exchanges and queues are left to whoever reads them: this declares none, and while there is none
the delivery has failed and is tried again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

import amqp.exceptions
from marshmallow import ValidationError, validates_schema

from pipeline.amqp_sender import AmqpSender, Letter
from pipeline.errors import InvalidValue, PublishFailed
from pipeline.hiding import hidden, spellings
from pipeline.notification import Delivered, Delivery, Failed, Outcome, Refused
from pipeline.targets import options
from pipeline.targets.base import Tools
from pipeline.targets.document import document
from pipeline.targets.options import TargetSchema
from pipeline.tracing import trace_headers

_LONGEST_NAME: Final = 255
"""AMQP's short strings are this many bytes."""

_NEVER = (amqp.exceptions.AccessRefused, amqp.exceptions.NotAllowed)
"""What a broker says that does not let us in: a person has to mend it."""


def _check_broker(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("amqp", "amqps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise ValidationError("Not a broker: write amqp://host:port/vhost, or amqps:// for TLS.")
    if "@" in parts.netloc:
        raise ValidationError("Everybody sees it: give username and password as such.")


class AmqpSchema(TargetSchema):
    """The options of a broker."""

    url = options.text(required=True, validate=_check_broker)
    username = options.text()
    password = options.secret()
    exchange = options.text(load_default="")
    routing_key = options.template(load_default="")
    ca_bundle = options.text()
    client_certificate = options.text()
    client_key = options.text()

    @validates_schema
    def _check(self, data: Mapping[str, Any], **_: Any) -> None:
        if not (data["exchange"] or data["routing_key"]):
            raise ValidationError("Name a queue here, or an exchange beside it.", "routing_key")
        if bool(data.get("username")) != bool(data.get("password")):
            raise ValidationError("User name and password go together.", "password")


@dataclass(frozen=True, slots=True)
class _Trust:
    tls_ca_file: str | None
    tls_cert_file: str | None
    tls_key_file: str | None


class AmqpTarget:
    """Sends what is told to an AMQP broker, as a JSON message."""

    schema = AmqpSchema

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._options, self._tools = options, tools
        self._secrets = spellings([options.get("password", "")])
        self._idle: list[AmqpSender] = []
        self._lock = threading.Lock()
        self._generation = 0

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The URL without credentials and query, and these by themselves."""
        parts = urlsplit(action)
        _, _, host = parts.netloc.rpartition("@")
        found = dict(parse_qsl(parts.query))
        found["url"] = urlunsplit((parts.scheme, host, parts.path, "", ""))
        if parts.username:
            found["username"] = unquote(parts.username)
        if parts.password:
            found["password"] = unquote(parts.password)
        return found

    def deliver(self, delivery: Delivery) -> Outcome:
        """Send it, and wait until the broker has it."""
        try:
            letter = self._letter(delivery)
        except InvalidValue as error:
            return Refused(str(error), asked=False)
        sender, generation = self._take()
        try:
            sender.send([letter])
        except PublishFailed as error:
            never = isinstance(error.__cause__, _NEVER)
            return (Refused if never else Failed)(hidden(str(error), self._secrets))
        finally:
            self._give_back(sender, generation)
        return Delivered()

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._generation += 1
        for sender in idle:
            sender.close()

    def _letter(self, delivery: Delivery) -> Letter:
        told = delivery.notification
        properties = {
            "type": _short(told.kind),
            "app_id": "tocsin",
            "timestamp": int(told.created_at.timestamp()),
            "application_headers": {"severity": told.severity, **trace_headers(delivery.trace)},
        }
        body = document(delivery, self._tools.templates)
        key = self._routing_key(delivery)
        return Letter(delivery.delivery_id, body, self._options["exchange"], key, properties)

    def _routing_key(self, delivery: Delivery) -> str:
        template = self._options["routing_key"]
        told = delivery.notification
        if not template:
            return _short(f"{told.kind}.{told.severity}")
        return _short(self._tools.templates.expand(template, told, {}))

    def _take(self) -> tuple[AmqpSender, int]:
        """A sender for one thread alone: one that waits for a broker holds up no other."""
        with self._lock:
            kept = self._idle.pop() if self._idle else None
            return kept or self._sender(), self._generation

    def _give_back(self, sender: AmqpSender, generation: int) -> None:
        with self._lock:
            if generation == self._generation:
                self._idle.append(sender)
                return
        sender.close()

    def _sender(self) -> AmqpSender:
        given = self._options
        trust = _Trust(
            given.get("ca_bundle") or self._tools.settings.ca_bundle,
            given.get("client_certificate"),
            given.get("client_key"),
        )
        seconds = self._tools.settings.connect_timeout_seconds
        url = _with_credentials(given["url"], given.get("username"), given.get("password"))
        return AmqpSender([url], trust, seconds, ca_setting="ca_bundle")


def _with_credentials(url: str, username: str | None, password: str | None) -> str:
    if not (username and password):
        return url
    parts = urlsplit(url)
    netloc = f"{quote(username, safe='')}:{quote(password, safe='')}@{parts.netloc}"
    return urlunsplit(parts._replace(netloc=netloc))


def _short(text: str) -> str:
    return text.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
