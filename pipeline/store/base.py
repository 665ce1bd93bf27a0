"""What the other parts ask of the store: one narrow protocol for each of them.

`pipeline.store.sql.SqlStore` is the one implementation, for SQLite and PostgreSQL. Every method
raises `StoreUnavailable` when the database cannot be reached or ended the transaction (try again);
times are aware UTC throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from pipeline.access import LOCAL, Caller
from pipeline.alarms.alarm import Alarm, Transition
from pipeline.alarms.composites import Composites
from pipeline.event import Event
from pipeline.guards import Heard
from pipeline.notification import Attempt, Delivery, Notification
from pipeline.retry import Step
from pipeline.store.guards import Guarding, News

# --- events in -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """A message that is not an event, kept with its reason so that it can be replayed.

    `rejected_id` is made from what the message says, so that a redelivery is the same row.
    `body` is unpacked, has its secrets masked and is cut where it is very long (`truncated`).
    """

    rejected_id: str
    reason: str
    body: bytes
    content_type: str | None
    headers: Mapping[str, Any]
    source: str
    received_at: datetime
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """Events that a publisher did not take, kept to be published again (events-in 28).

    `due_at` is when to try next, `created_at` gives a publisher's their order; None: now.
    """

    publication_id: str
    publisher: str
    events: tuple[Event, ...]
    error: str
    attempts: int = 1
    due_at: datetime | None = None
    created_at: datetime | None = None


class Transaction(Protocol):
    """One transaction, in which all that a batch causes is written: all of it or nothing."""

    def lock_alarms(self, alarm_ids: Collection[str]) -> dict[str, Alarm]:
        """The alarms as they now stand, held against change until the end.

        Unknown ids and those of composite alarms: absent.
        """

    def lock_composites(
        self, alarm_ids: Collection[str], changed: Collection[str] = ()
    ) -> Composites:
        """The composite alarms among these, and all that refer to them or to one of `changed`,
        directly or through others; held against change until the end.

        `changed` are alarms that `lock_alarms` gave, and that fire. Lock no alarm after this.
        """

    def fired(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the (alarm_id, message_id) pairs that have fired before."""

    def save_transitions(
        self, transitions: Sequence[Transition], actions: Sequence[Sequence[str]] | None = None
    ) -> None:
        """Write, for each: alarm state, history, firing, notification, a delivery per action.

        `actions` are those that were planned for each (`pipeline.dispatch`); None: the alarm's
        own, as they are. Firings of composite alarms are for `save_composites`.
        """

    def save_composites(
        self, alarms: Sequence[Alarm], met: Sequence[tuple[str, str]], at: datetime
    ) -> None:
        """Write the states of these composite alarms' event conditions, and a firing for each
        (alarm_id, message_id) of an event that met one."""

    def save_notification(self, notification: Notification, actions: Sequence[str]) -> None:
        """Write a notification that tells of no alarm, with a delivery per action."""

    def save_rejected(self, rejected: Sequence[RejectedEvent]) -> None:
        """Keep what could not be understood; one that is kept already changes nothing."""

    def save_publications(self, publications: Sequence[Publication]) -> None:
        """Keep what a publisher did not take; one that is kept already changes nothing."""


class Intake(Protocol):
    """The worker's side."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """A transaction: committed at the end of the block, undone when the block raises."""


@dataclass(frozen=True, slots=True)
class AlarmChanges:
    """What changed after some revision, up to `revision`. `deleted` holds alarm ids."""

    revision: int
    changed: Sequence[Alarm]
    deleted: Sequence[str]


class AlarmSource(Protocol):
    """Where a worker reads the alarms from: all at the start, then what changed."""

    def all_enabled(self) -> tuple[int, Iterator[Alarm]]:
        """The present revision, and every enabled alarm as of it (streamed, not in one list).

        The alarms are read while they are iterated over; a connection is held until the end, or
        until the iterator is closed.
        """

    def changes_since(self, revision: int) -> AlarmChanges:
        """Alarms created, changed (by a person, their state included) or deleted since then.

        A `revision` lower than the one asked for means that the database was put back to an
        earlier time: read all alarms again.
        """


# --- deliveries ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery as people see it. `state` is pending, delivered, dead or digested.

    `digest_id` is the delivery that tells of it among others, `fallback_for` the dead letter in
    whose place it came; `''` for none.
    """

    delivery_id: str
    notification_id: str
    alarm_id: str
    alarm_name: str
    message_id: str
    action: str
    state: str
    attempts: int
    created_at: datetime
    due_at: datetime | None
    finished_at: datetime | None
    last_error: str
    kind: str
    digest_id: str = ""
    fallback_for: str = ""


class Outbox(Protocol):
    """The notifier's side, and what people ask about deliveries."""

    def claim(
        self, limit: int, lease: timedelta, now: datetime, busy: Collection[str] = ()
    ) -> list[Delivery]:
        """Take due deliveries, oldest first; nobody else gets them until the lease ends.

        Those for a `busy` receiver (`dispatch.receiver(action)`) are left for later, so that one
        that hangs does not stand before the others, however many wait for it (delivery 8). So are
        those for a receiver whose breaker is open.
        """

    def finish(
        self,
        results: Sequence[tuple[Delivery, Attempt, Step]],
        heard: Mapping[str, Heard] = ...,
        guarding: Guarding | None = None,
    ) -> Sequence[News]:
        """Record each attempt, and the step that follows it, in one transaction.

        A step other than Done is ignored for a delivery whose lease another notifier now holds.
        An attempt whose outcome is `Refused(gone=True)` disables its action. The same result told
        again changes nothing. What an outcome left as progress is kept for the next attempt.
        `heard` of each receiver is added to its breaker; by `guarding`, fallbacks take what died.
        What came of that is returned.
        """

    def next_due(self, after: datetime) -> datetime | None:
        """When the first delivery that is due after then will be, None if there is none."""

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """Give back what was claimed and not tried: due again at once."""

    def bring_forward(self, lease: timedelta, now: datetime) -> int:
        """Make due now what only a clock that was ahead has put off; how many.

        For when a clock was set back. No lease is given for longer than `lease`.
        """

    def deliveries(
        self,
        state: str | None = None,
        alarm_id: str | None = None,
        message_id: str | None = None,
        action: str | None = None,
        receiver: str | None = None,
        outcome: str | None = None,
        digest_id: str | None = None,
        limit: int | None = 100,
        marker: str | None = None,
        by: Caller = LOCAL,
    ) -> list[DeliveryRecord]:
        """Deliveries, newest first. `outcome` (of any attempt) is one of `OUTCOME_NAMES`.

        `receiver` is what `dispatch.receiver` makes of their action; `digest_id` the delivery that
        tells of them. Who is held to projects finds those of their alarms, deleted ones too.
        After the one whose id is the marker: raises `InvalidValue` where there is none.
        """

    def delivery(
        self, delivery_id: str, by: Caller = LOCAL
    ) -> tuple[DeliveryRecord, Delivery, list[Attempt]]:
        """One delivery, what it tells, and its attempts in order. Raises `NotFound`."""

    def told_lately(self, limit: int) -> list[Notification]:
        """What was told last, by the newest so many deliveries."""

    def replay_dead(
        self,
        now: datetime,
        delivery_id: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        by: Caller = LOCAL,
    ) -> int:
        """Make dead letters due again with a fresh schedule, their actions enabled. How many.

        `since` and `until` bound the time at which they died. Same `delivery_id`, so the
        receiver still sees a repeat as one. Who is held to projects or names enables only what
        is theirs.
        """

    def purge_dead(
        self,
        delivery_id: str | None = None,
        action: str | None = None,
        until: datetime | None = None,
        by: Caller = LOCAL,
    ) -> int:
        """Delete dead letters for good. How many."""


class ArrivalSource(Protocol):
    """How a notifier hears of deliveries that other processes wrote."""

    def arrivals(self) -> AbstractContextManager[Callable[[float], bool]]:
        """A connection that listens, held for the block.

        The block is given a function that waits, so many seconds at most, until deliveries may
        have been written since the connection was made, or since it last said so; and says
        whether they may. Making the connection and waiting raise `StoreUnavailable`.
        """


class RejectedEvents(Protocol):
    """What people ask about rejected events."""

    def rejected(
        self, limit: int | None = 100, marker: str | None = None, *, bodies: bool = True
    ) -> list[RejectedEvent]:
        """Rejected events, newest first, after the one whose id is the marker.

        Without their `bodies`, which may be long, these are empty. Raises `InvalidValue` for a
        marker that nothing has.
        """

    def rejected_event(self, rejected_id: str) -> RejectedEvent:
        """One rejected event; a unique prefix of its id is enough. Raises `NotFound`."""

    def forget_rejected(self, rejected_id: str, by: Caller = LOCAL) -> None:
        """Delete one that was replayed."""


class Publications(Protocol):
    """The side of the sinks' lanes."""

    def waiting_publishers(self) -> list[str]:
        """The publishers that have publications, due or not."""

    def claim_publications(
        self, limit: int, lease: timedelta, now: datetime, publisher: str | None = None
    ) -> list[Publication]:
        """Take due publications, of one publisher if it is named, the first made first.

        Nobody else gets them until the lease ends.
        """

    def published(self, publication_id: str) -> None:
        """It was taken at last: forget it."""

    def replace_publication(self, publication_id: str, parts: Sequence[Publication]) -> None:
        """Put these in its place; nothing, if it is gone."""

    def make_due(self, now: datetime, publisher: str, below_attempts: int) -> None:
        """Let a publisher's be tried now, save those tried too often and those that are leased."""

    def publish_again_at(self, publication_id: str, due_at: datetime, error: str) -> None:
        """It was not taken again: keep it, with the newest error and one attempt more."""


@dataclass(frozen=True, slots=True)
class PublicationRecord:
    """A publication as people see it; `size` is how many events it holds."""

    publication_id: str
    publisher: str
    size: int
    error: str
    attempts: int
    created_at: datetime
    due_at: datetime


class UnpublishedEvents(Protocol):
    """What people ask about events that a publisher did not take."""

    def publications(
        self,
        publishers: Collection[str] | None = None,
        limit: int | None = 100,
        marker: str | None = None,
    ) -> list[PublicationRecord]:
        """Publications of these publishers, or of all, the oldest first; after the one whose id
        is the marker. Raises `InvalidValue` for a marker that nothing has."""

    def publication(self, publication_id: str) -> tuple[PublicationRecord, Publication]:
        """One, with its events; a unique prefix of its id is enough. Raises `NotFound`."""

    def replay_publications(
        self,
        now: datetime,
        publication_id: str | None = None,
        publisher: str | None = None,
        by: Caller = LOCAL,
    ) -> int:
        """Have one, a publisher's, or all tried now, as if for the first time. How many."""

    def purge_publications(
        self,
        publication_id: str | None = None,
        publisher: str | None = None,
        by: Caller = LOCAL,
    ) -> int:
        """Delete their events for good: one's, a publisher's, or all. How many publications."""
