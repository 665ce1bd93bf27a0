"""Sends messages to an AMQP broker and returns when it has confirmed every one of them.

Used by the publishers and the targets whose receiver is a RabbitMQ. Messages go out one after
another without waiting and the confirms are gathered behind them, so that a batch costs about one
round trip. A message that no queue took counts as not sent (`mandatory`). Every wait is bounded; a
connection that broke while nobody used it is made anew, once, before that is called a failure.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import amqp
import amqp.exceptions
from kombu.utils.url import parse_url

from pipeline.errors import PublishFailed, PublishRefused
from pipeline.masking import mask_url

_UNCONFIRMED_AT_ONCE = 1000
_PORTS = {"amqp": 5672, "amqps": 5671}


class Letter(NamedTuple):
    """One message, and where it goes."""

    message_id: str
    body: bytes
    exchange: str
    routing_key: str
    properties: Mapping[str, Any] = {}


class Trust(Protocol):
    """Whom to trust over TLS: PEM files, None for what the system has."""

    @property
    def tls_ca_file(self) -> str | None: ...
    @property
    def tls_cert_file(self) -> str | None: ...
    @property
    def tls_key_file(self) -> str | None: ...


class AmqpSender:
    """One connection to a broker, opened when it is first needed. Safe from many threads.

    `urls` are nodes of one broker, tried in turn. `prepare` is called with each new connection,
    to declare what the letters need, and again when no queue took one of them. `ca_setting` names
    what says whom to trust, for people.
    """

    def __init__(
        self,
        urls: Sequence[str],
        trust: Trust,
        timeout_seconds: float,
        prepare: Callable[[Any], None] | None = None,
        ca_setting: str = "rabbitmq.tls_ca_file",
    ) -> None:
        self._urls, self._trust, self._timeout = urls, trust, timeout_seconds
        self._prepare, self._ca_setting = prepare, ca_setting
        self._connection: amqp.Connection | None = None
        self._confirms: _Confirms | None = None
        self._lock = threading.Lock()

    def send(self, letters: Sequence[Letter]) -> None:
        """Send all, in order. Raises `PublishFailed`, `PublishRefused` where a queue is missing.

        The error's positions count letters.
        """
        with self._lock:
            used_before = self._confirms is not None
            try:
                try:
                    self._send(letters)
                except _LOST:
                    if not used_before:
                        raise
                    self._drop()
                    self._send(letters)
            except PublishRefused:
                raise
            except _LOST as error:
                self._drop()
                raise PublishFailed(
                    f"{self._name()}: {_reason(error, self._ca_setting)}"
                ) from error
            except BaseException:
                self._drop()
                raise

    def close(self) -> None:
        """Let go of the connection; the next letters open it again."""
        with self._lock:
            if self._connection is not None:
                # All that it sent was confirmed, or told as failed: there is nothing to lose.
                with suppress(*_LOST):
                    self._connection.close()
            self._drop()

    def _send(self, letters: Sequence[Letter]) -> None:
        returned = self._confirmed(letters, range(len(letters)))
        if returned and self._prepare is not None:
            # A queue that was deleted behind our back is declared anew.
            assert self._connection is not None
            self._prepare(self._connection)
            returned = self._confirmed(letters, returned)
        if returned:
            first = letters[returned[0]]
            raise PublishRefused(
                f"{self._name()}: no queue takes messages with the routing key "
                f"{first.routing_key!r} from {_shown(first.exchange)}. Bind one there.",
                returned,
            )

    def _confirmed(self, letters: Sequence[Letter], positions: Sequence[int]) -> list[int]:
        """Send the letters at these positions; those that no queue took."""
        confirms = self._open()
        returned: list[int] = []
        for start in range(0, len(positions), _UNCONFIRMED_AT_ONCE):
            returned += confirms.send(letters, positions[start : start + _UNCONFIRMED_AT_ONCE])
        return returned

    def _open(self) -> _Confirms:
        if self._confirms is None:
            self._connection = self._connected()
            if self._prepare is not None:
                self._prepare(self._connection)
            self._confirms = _Confirms(self._connection, self._timeout)
        return self._confirms

    def _connected(self) -> amqp.Connection:
        """Connected to the first node that answers."""
        failure: Exception = OSError("no broker is named")
        for url in self._urls:
            connection = self._connection_to(url)
            try:
                connection.connect()
            except _LOST as error:
                connection.collect()
                failure = error
            else:
                return connection
        raise failure

    def _connection_to(self, url: str) -> amqp.Connection:
        parts = parse_url(url)
        scheme, host = parts["transport"], parts["hostname"] or "localhost"
        return amqp.Connection(
            host=f"{_bracketed(host)}:{parts['port'] or _PORTS[scheme]}",
            userid=parts["userid"] or "guest",
            password=parts["password"] or "guest",
            virtual_host=parts["virtual_host"] or "/",
            ssl=self._tls(host) if scheme == "amqps" else False,
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            write_timeout=self._timeout,
            client_properties={"connection_name": "tocsin sender", "product": "Tocsin"},
        )

    def _tls(self, host: str) -> dict[str, Any]:
        return {
            "ca_certs": self._trust.tls_ca_file,
            "certfile": self._trust.tls_cert_file,
            "keyfile": self._trust.tls_key_file,
            "cert_reqs": ssl.CERT_REQUIRED,
            "server_hostname": host,
        }

    def _drop(self) -> None:
        connection, self._connection, self._confirms = self._connection, None, None
        if connection is not None:
            connection.collect()

    def _name(self) -> str:
        return mask_url(self._urls[0])


class _Confirms:
    """A channel whose broker tells of every message that it has it, or that nobody takes it."""

    def __init__(self, connection: amqp.Connection, timeout: float) -> None:
        self._connection, self._timeout = connection, timeout
        self._channel = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._acked)
        self._channel.events["basic_nack"].add(self._nacked)
        self._channel.events["basic_return"].add(self._was_returned)
        self._last_tag = 0
        self._waiting: set[int] = set()
        self._refused = 0
        self._returned: set[str] = set()

    def send(self, letters: Sequence[Letter], positions: Sequence[int]) -> list[int]:
        """Send, and wait until all are confirmed; the positions of those that no queue took."""
        self._waiting, self._returned, self._refused = set(), set(), 0
        for position in positions:
            letter = letters[position]
            properties = {
                "content_type": "application/json",
                "content_encoding": "utf-8",
                "delivery_mode": 2,
                "priority": 0,
                "message_id": letter.message_id,
                **letter.properties,
            }
            message = amqp.Message(letter.body, **properties)
            self._last_tag += 1
            self._waiting.add(self._last_tag)
            self._channel.basic_publish(
                message, letter.exchange, letter.routing_key, mandatory=True
            )
        while self._waiting:
            self._connection.drain_events(timeout=self._timeout)
        if self._refused:
            raise PublishFailed(f"the broker could not keep {self._refused} messages.")
        return [p for p in positions if letters[p].message_id in self._returned]

    def _acked(self, tag: int, multiple: bool) -> None:
        self._waiting -= {one for one in self._waiting if one <= tag} if multiple else {tag}

    def _nacked(self, tag: int, multiple: bool) -> None:
        before = len(self._waiting)
        self._acked(tag, multiple)
        self._refused += before - len(self._waiting)

    def _was_returned(
        self, error: Exception, exchange: str, routing_key: str, message: amqp.Message
    ) -> None:
        self._returned.add(message.properties["message_id"])


_LOST = (amqp.exceptions.AMQPError, OSError)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _shown(exchange: str) -> str:
    return f"the exchange {exchange!r}" if exchange else "the default exchange"


def _reason(error: BaseException, ca_setting: str) -> str:
    """Why, in words for a person; the errors of amqp repeat themselves."""
    if isinstance(error, TimeoutError):
        return "no answer in time. A broker whose memory or disk alarm is raised takes nothing."
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message}. Set {ca_setting} "
            f"to the CA that signed it, and use a host name that it holds."
        )
    if isinstance(error, OSError):
        return f"{error.strerror or error or 'the connection was lost'}."
    code, text = getattr(error, "reply_code", 0), getattr(error, "reply_text", "")
    return f"{text or error} ({code})." if code else f"{text or error}."
