"""What a listener is, and what it hands on.

A listener owns its connection and its thread. It gathers messages into batches and gives each
batch to the worker; only when the worker is done may it acknowledge them. The worker's two steps
are apart so that a listener can do the first in its own thread and keep its connection alive
(heartbeats) during the second, which may wait for a database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar


class Message(NamedTuple):
    """One message as it came: the bytes, what the transport said of them, and from where.

    `headers` are the transport's (AMQP headers; HTTP headers with lower-case names). `source`
    names the origin for people: `rabbitmq localhost/ keystone notifications.info`,
    `replay events.jsonl:12`, `http`. Never holds a secret.
    """

    body: bytes
    content_type: str | None = None
    headers: Mapping[str, Any] | None = None
    source: str = ""


Decisions = TypeVar("Decisions")


class Worker(Protocol[Decisions]):
    """What a listener needs of the worker (`pipeline.worker.Worker`)."""

    def decide(self, messages: Sequence[Message]) -> Decisions | None:
        """Normalise, route and match; no I/O. None when there is nothing to commit."""

    def commit(self, decisions: Decisions) -> None:
        """Carry the decisions out in one transaction. Blocks, and waits while the store is away.

        Returning is the promise that the batch may be acknowledged. Raises `Stopped` when told
        to stop before that: the batch must then not be acknowledged.
        """


class Stopped(Exception):
    """The work was ended before the batch was committed; the source must keep the batch."""


class Listener(Protocol):
    """One source of messages. `run` returns when it is stopped or when the source has ended."""

    name: str

    def run(self) -> None:
        """Listen until `stop`, or until the source ends. Survives what the source survives."""

    def stop(self) -> None:
        """Take no more messages; finish the batch in hand, acknowledge it, return from `run`.

        May be called from any thread and from a signal handler.
        """
