"""What may be asked of what is kept: deliveries, dead letters, rejected events, publications, the
archive, and the state of the whole. A protocol for each matter; see `pipeline.desk.base`.

`which` is a document that says which ones are meant: `{"ids": […]}`, or `{"all": true}`, or bounds
that the matter has, and only one of these. Where it says none of them, or more than one, methods
raise `InvalidValue` before anything is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.store.archive import EventFilter

if TYPE_CHECKING:
    from pipeline.desk.base import Document, Page


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries: those for which all of this is so.

    `alarm` is an id or a name, `event` a message id, `action` as the alarm has it, `receiver` a
    URL of the server, `outcome` that of any attempt, `digest` the delivery that tells of them.
    """

    state: str | None = None
    alarm: str | None = None
    event: str | None = None
    action: str | None = None
    receiver: str | None = None
    outcome: str | None = None
    digest: str | None = None


class Deliveries(Protocol):
    """Notifications on their way; of who is held to projects, those of their alarms."""

    def search(
        self, wanted: DeliveryFilter, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Deliveries, the newest first. Raises `InvalidValue`; `NotFound` for the alarm."""

    def find(self, delivery_id: str) -> Document:
        """One with what it tells and its attempts, in order. Raises `NotFound`."""


class DeadLetters(Protocol):
    """Deliveries that were given up. Bounds: `action`, `since`, `until` (when they died)."""

    def search(
        self, wanted: DeliveryFilter, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Dead letters, the newest first, whatever state is wanted. Raises as `Deliveries`."""

    def find(self, delivery_id: str) -> Document:
        """As a delivery. Raises `NotFound`, also for one that is not dead."""

    def replay(self, which: Mapping[str, Any]) -> int:
        """Make them due again, with a new schedule, their actions enabled; how many.

        Raises `NotFound` and `InvalidValue` for ids that are of no dead letters.
        """

    def purge(self, which: Mapping[str, Any]) -> int:
        """Delete them for good; how many. Raises as `replay`. There is no bound `since`."""


class RejectedEvents(Protocol):
    """Messages that were not understood: for who is held to no projects."""

    def search(self, limit: int | None = None, marker: str | None = None) -> Page:
        """Rejected events without headers and bodies, the newest first."""

    def find(self, rejected_id: str) -> Document:
        """One, whole; a unique beginning of its id is enough. Raises `NotFound`, `Ambiguous`.

        `body` is its text, or in base64 where it is none: `body_encoding` says which.
        """

    def replay(self, which: Mapping[str, Any]) -> Document:
        """Take those whose `ids` are given in again, as the definitions are now: how many were
        `taken`, and of those that are `left` the `rejected_id` and the `reason`.

        What was taken leaves the list. Raises `NotFound` and `Ambiguous` before any is taken in.
        """


class Publications(Protocol):
    """Events that a publisher did not take yet: for who is held to no projects. Bound:
    `publisher`, its URL as the pipelines file has it or as it is shown."""

    def search(
        self, publisher: str | None = None, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Publications without their events, the oldest first.

        Raises `InvalidValue` for a publisher that nothing waits for.
        """

    def find(self, publication_id: str) -> Document:
        """One with its events; a unique beginning of its id is enough.

        Raises `NotFound`, `Ambiguous`.
        """

    def replay(self, which: Mapping[str, Any]) -> int:
        """Have them tried now, by the listeners that run; how many."""

    def purge(self, which: Mapping[str, Any]) -> int:
        """Delete them for good, their events too; how many."""


class Events(Protocol):
    """The archive. Of who is held to projects, the events that belong to one of them.

    A document is the event's wire form (events-in 23), in a list without `raw`; a float that JSON
    cannot say is a text: `NaN`, `Infinity`.
    """

    def search(
        self, wanted: EventFilter, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Events, the last generated first. Raises `InvalidValue`."""

    def find(self, message_id: str) -> Document:
        """One, and when it was `received_at`; a unique beginning of its id is enough.

        Raises `NotFound`, `Ambiguous`.
        """

    def types(self, wanted: EventFilter) -> list[Document]:
        """The types of the events, by name: how many `events`, and of when the `first` and the
        `last` is. Traits are not looked at."""

    def traits(
        self,
        event_type: str,
        name: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1_000,
    ) -> list[Document]:
        """The traits of the newest events of a type: of each its `type`, in how many `events` it
        is, how many `values` there are, and an `example`. With a name that trait's values, the
        most frequent first.

        Raises `NotFound` where there is none, saying what was perhaps meant.
        """


class Status(Protocol):
    """The state of the whole: for who is held to no projects."""

    def counts(self) -> Document:
        """How much of everything there is, and what wants a person."""

    def recent(self) -> Document:
        """The last five minutes and what waits, at a bounded cost; `now` is the server's."""

    def costly(self) -> list[Document]:
        """What can cost most to match: so many `alarms` of a `project_id` (None: of all) are
        looked at for one event of an `event_type`. Loads all alarms."""
