"""What a publisher is: a sink for events at a URL; and what its maker hands it.

`alarms://` is no publisher in this sense: it marks a sink whose events the worker evaluates
against the alarms in this process (`pipeline.routing` knows it).

A new publisher is a class with this protocol, made by calling it with its URL and `Tools`, and an
entry point in the group `tocsin.publishers` under each URL scheme that it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from pipeline.event import Event
from pipeline.publishers.settings import PublishingSettings


class Publisher(Protocol):
    """Takes events for one URL. Made once per distinct URL, by `publishers.from_url(url)`."""

    url: str

    def publish(self, events: Sequence[Event]) -> None:
        """Publish all events, in order. Raises `PublishFailed` if any was not taken.

        May be called again with the same events: what is published is published at least once.
        """

    def close(self) -> None:
        """Write out what is held and let go of files and connections."""


class Archive(Protocol):
    """Where events are kept (the store, for `store://`)."""

    def keep_events(self, events: Sequence[Event]) -> None:
        """Keep them; one that is kept already changes nothing. Raises `StoreUnavailable`."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Broker:
    """The RabbitMQ listener's broker: its URLs, how queues are declared, whom to trust."""

    urls: tuple[str, ...] = ()
    durable: bool = False
    auto_delete: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tls_ca_file: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What a publisher may use beyond its URL. Shared by all publishers: none closes them.

    The defaults are enough to check a URL. `archive` is None where publishers are only checked;
    `broker` is that of the RabbitMQ listener, for URLs that name none.
    """

    settings: PublishingSettings = field(default_factory=PublishingSettings)
    broker: Broker = field(default_factory=Broker)
    archive: Archive | None = None
    clock: Callable[[], datetime] = _now
    log: Any = field(default_factory=structlog.get_logger)
