"""Deliveries, dead letters, rejected events, publications, the archive and the status, as
requests (`desk.kept`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pipeline.alarms.conditions import SIGNS
from pipeline.desk import Document, Page
from pipeline.desk.kept import DeliveryFilter
from pipeline.errors import NotFound
from pipeline.remote.connection import Connection
from pipeline.store.archive import EventFilter, TraitFilter


class RemoteDeliveries:
    """`desk.kept.Deliveries`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def search(
        self, wanted: DeliveryFilter, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Deliveries, the newest first."""
        return self._connection.page("deliveries", limit=limit, marker=marker, **asdict(wanted))

    def find(self, delivery_id: str) -> Document:
        """One with what it tells and its attempts, in order."""
        return self._connection.get("deliveries", _one(delivery_id, "Delivery"))


class RemoteDeadLetters:
    """`desk.kept.DeadLetters`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def search(
        self, wanted: DeliveryFilter, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Dead letters, the newest first."""
        asked = {**asdict(wanted), "state": None}
        return self._connection.page("dead-letters", limit=limit, marker=marker, **asked)

    def find(self, delivery_id: str) -> Document:
        """As a delivery; one that is not dead is not found."""
        return self._connection.get("dead-letters", _one(delivery_id, "Delivery"))

    def replay(self, which: Mapping[str, Any]) -> int:
        """Make them due again; how many."""
        return _count(self._connection.post("dead-letters", "replay", body=which))

    def purge(self, which: Mapping[str, Any]) -> int:
        """Delete them for good; how many."""
        return _count(self._connection.post("dead-letters", "purge", body=which))


class RemoteRejectedEvents:
    """`desk.kept.RejectedEvents`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def search(self, limit: int | None = None, marker: str | None = None) -> Page:
        """Rejected events without headers and bodies, the newest first."""
        return self._connection.page("rejected-events", limit=limit, marker=marker)

    def find(self, rejected_id: str) -> Document:
        """One, whole; a unique beginning of its id is enough."""
        return self._connection.get("rejected-events", _one(rejected_id, "Rejected event"))

    def replay(self, which: Mapping[str, Any]) -> Document:
        """Take them in again, as the definitions are now."""
        return self._connection.post("rejected-events", "replay", body=which)


class RemotePublications:
    """`desk.kept.Publications`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def search(
        self, publisher: str | None = None, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Publications without their events, the oldest first."""
        return self._connection.page(
            "publications", limit=limit, marker=marker, publisher=publisher
        )

    def find(self, publication_id: str) -> Document:
        """One with its events; a unique beginning of its id is enough."""
        return self._connection.get("publications", _one(publication_id, "Publication"))

    def replay(self, which: Mapping[str, Any]) -> int:
        """Have them tried now; how many."""
        return _count(self._connection.post("publications", "replay", body=which))

    def purge(self, which: Mapping[str, Any]) -> int:
        """Delete them for good, their events too; how many."""
        return _count(self._connection.post("publications", "purge", body=which))


class RemoteEvents:
    """`desk.kept.Events`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def search(
        self, wanted: EventFilter, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Events, the last generated first."""
        traits = [_condition(trait) for trait in wanted.traits]
        return self._connection.page(
            "events", limit=limit, marker=marker, trait=traits, **_types(wanted)
        )

    def find(self, message_id: str) -> Document:
        """One, and when it was kept; a unique beginning of its id is enough."""
        if message_id in _NO_PART_OF_A_PATH:
            raise NotFound(f"Event {message_id} is not in the archive")
        return self._connection.get("events", message_id)

    def types(self, wanted: EventFilter) -> list[Document]:
        """The types of the events, by name."""
        found: list[Document] = self._connection.get("event-types", **_types(wanted))["items"]
        return found

    def traits(
        self,
        event_type: str,
        name: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1_000,
    ) -> list[Document]:
        """The traits of the newest events of a type, or one trait's values."""
        asked = _types(EventFilter(event_type, since, until))
        answer = self._connection.get("event-traits", name=name, limit=limit, **asked)
        found: list[Document] = answer["items"]
        return found


class RemoteStatus:
    """`desk.kept.Status`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def counts(self) -> Document:
        """How much of everything there is, and what wants a person."""
        return self._connection.get("status")

    def recent(self) -> Document:
        """The last five minutes and what waits."""
        return self._connection.get("status", "recent")

    def costly(self) -> list[Document]:
        """What can cost most to match."""
        found: list[Document] = self._connection.get("status", "costly")["items"]
        return found


_NO_PART_OF_A_PATH = ("", ".", "..")
_OPERATIONS = ("replay", "purge")


def _one(id: str, what: str) -> str:
    """The id, as a part of a path; what can be none is no id that Tocsin has made."""
    if id in (*_NO_PART_OF_A_PATH, *_OPERATIONS) or "/" in id:
        raise NotFound(f"{what} {id} not found")
    return id


def _count(answer: Document) -> int:
    count: int = answer["count"]
    return count


def _types(wanted: EventFilter) -> dict[str, Any]:
    since, until = wanted.since, wanted.until
    return {
        "type": wanted.event_type,
        "since": since and since.isoformat(),
        "until": until and until.isoformat(),
    }


def _condition(trait: TraitFilter) -> str:
    """`traits.vcpus>=integer::4`."""
    return f"traits.{trait.name}{SIGNS[trait.op]}{trait.type}::{trait.value}"
