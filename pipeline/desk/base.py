"""What may be asked at the desk: a protocol for each matter, and the `Desk` that has them all.

Every method raises `Forbidden` where the caller may not, and `StoreUnavailable` when the database
or the server cannot be reached. What belongs to a project that the caller does not see is
`NotFound`, as if it were not there. `digest` arguments are those of the document that a change
was made from: where it was changed since, they raise `Conflict`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from pipeline.desk.kept import (
    DeadLetters,
    Deliveries,
    Events,
    Publications,
    RejectedEvents,
    Status,
)
from pipeline.desk.people import History, Tokens
from pipeline.desk.told import AsCode, Notifications, Routes, Targets

if TYPE_CHECKING:
    from pipeline.kinds import Kinds
    from pipeline.past import Past, Reference
    from pipeline.sending import Sender
    from pipeline.settings import Settings
    from pipeline.store.base import RejectedEvent
    from pipeline.store.sql import SqlStore
    from pipeline.telling import Telling
    from pipeline.templates import Templates

Document: TypeAlias = dict[str, Any]
"""An answer: what JSON can say."""

MOST_AT_ONCE = 1_000
"""How much of a list is given at once where less is not asked for."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `marker` asks for the part that follows; None at the end."""

    items: Sequence[Document]
    marker: str | None = None


class Alarms(Protocol):
    """Alarms. A document has Aodh's fields, its actions without secrets, and a `digest`."""

    def create(self, document: Mapping[str, Any]) -> Document:
        """Make an alarm. Raises `InvalidValue` with all that is wrong with it.

        Without a project it is its maker's; who is held to no project makes one that sees all.
        """

    def create_many(self, documents: Sequence[Mapping[str, Any]]) -> list[Document]:
        """Make alarms, all of them or none."""

    def find(self, id_or_name: str) -> Document:
        """By id, else by name (alarms 29). Raises `NotFound`, `Ambiguous` (naming the ids)."""

    def search(
        self,
        filters: Mapping[str, Any] | None = None,
        query: str | None = None,
        sort: Sequence[tuple[str, str]] = (),
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """Alarms that equal every filter and meet the query (`alarms.expressions`), in order.

        Raises `InvalidValue`.
        """

    def update(
        self, alarm_id: str, changes: Mapping[str, Any], digest: str | None = None
    ) -> Document:
        """Change what is given, keep all else. An action that is given as it is shown, with its
        secrets hidden, keeps them. Raises `NotFound`, `InvalidValue`, `Conflict`."""

    def delete(self, alarm_id: str, digest: str | None = None) -> None:
        """Delete an alarm; its history stays. Raises `NotFound`, `Conflict`."""

    def set_state(self, alarm_id: str, state: str) -> Document:
        """Set the state by hand; the alarm. Raises `NotFound`, `InvalidValue`."""

    def history(
        self,
        alarm_id: str,
        limit: int | None = None,
        marker: str | None = None,
        sort: Sequence[tuple[str, str]] = (),
    ) -> Page:
        """What became of an alarm, the newest first; also of a deleted one. `NotFound` where there
        is nothing. Raises `InvalidValue`."""

    def search_history(
        self,
        query: str | None = None,
        sort: Sequence[tuple[str, str]] = (),
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """What became of all alarms that meets the query (`alarms.expressions`), the newest
        first. Raises `InvalidValue`."""

    def unknown_names(self, alarm_id: str) -> list[str]:
        """The alarm's actions that lead to a target or group that does not exist (yet)."""


class Entries(Protocol):
    """Targets, groups, filters and matchers; `kind` is the word for one of them.

    A document has Proxmox's property names, secrets as ***, and `origin` and `digest` besides.
    """

    def listed(self, kind: str) -> list[Document]:
        """All of a kind, by name."""

    def found(self, kind: str, name: str) -> Document:
        """The one of this name. Raises `NotFound`."""

    def create(self, kind: str, document: Mapping[str, Any]) -> Document:
        """Make one. Raises `InvalidValue` with all that is wrong, `Conflict` for a name that is
        taken."""

    def update(
        self,
        kind: str,
        name: str,
        changes: Mapping[str, Any],
        unset: Collection[str] = (),
        digest: str | None = None,
    ) -> Document:
        """Change what is given, unset what is named; secrets that are not given stay.

        Raises `NotFound`, `InvalidValue`, `Conflict`.
        """

    def delete(self, kind: str, name: str, digest: str | None = None) -> None:
        """Take one away; a modified built-in becomes what it was.

        Raises `NotFound`, and `Conflict` ("referenced by …") while it is still used.
        """


class Quotas(Protocol):
    """How many alarms projects may have (alarms 23). A document has the `project_id` and its
    `quotas`, each with a `resource` and a `limit`, -1 for any number."""

    def found(self, project_id: str | None = None) -> Document:
        """The project's quotas, or the caller's own; by default what the settings say."""

    def update(self, project_id: str, quotas: Mapping[str, int]) -> Document:
        """Set these of the project. Raises `InvalidValue`."""

    def delete(self, project_id: str) -> None:
        """Let the defaults hold again for a project."""


class Trials(Protocol):
    """Alarms tried out on events. Nothing is written, and nobody is told of anything."""

    def explain(self, alarm: str, event: Reference, at: datetime | None = None) -> Document:
        """Why an alarm, by id or name, does or does not fire on an event, check by check
        (`alarms.explaining`), as if the event came `at` this time: when it was generated.

        `fired_at` says when the event has fired it before. Raises `NotFound`, `Ambiguous`, and
        `InvalidValue` for a content without an event.
        """

    def test(
        self,
        alarms: Sequence[Mapping[str, Any]],
        lines: Iterable[bytes] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        newest: int = 10,
    ) -> Document:
        """On which events these alarms, which need not be there, would have fired.

        `lines` are captured messages or normalised events; None: the events in the archive,
        generated in that time. `newest` matches of each alarm are told. The answer: `events`
        looked at, `rejected` lines and some `rejections` ({line, reason}), `stopped_at` where
        there are more than are looked at (the time of the last one), and `alarms`
        (`alarms.trying`). Raises `InvalidValue`.
        """


class Desk(Protocol):
    """All that can be asked."""

    @property
    def alarms(self) -> Alarms:
        """Alarms, their states and histories."""

    @property
    def entries(self) -> Entries:
        """Targets, groups, filters and matchers."""

    @property
    def quotas(self) -> Quotas:
        """How many alarms projects may have."""

    def capabilities(self) -> Document:
        """What Aodh's API can do here, as it tells its clients (alarms 17)."""

    @property
    def targets(self) -> Targets:
        """Types of targets; targets tried, and told again."""

    @property
    def routes(self) -> Routes:
        """Where notifications go."""

    @property
    def notifications(self) -> Notifications:
        """Kinds, templates, and notifications of people's own."""

    @property
    def as_code(self) -> AsCode:
        """Everything as files."""

    @property
    def trials(self) -> Trials:
        """Alarms tried out on events."""

    @property
    def deliveries(self) -> Deliveries:
        """Notifications on their way."""

    @property
    def dead_letters(self) -> DeadLetters:
        """Deliveries that were given up."""

    @property
    def rejected_events(self) -> RejectedEvents:
        """Messages that were not understood."""

    @property
    def publications(self) -> Publications:
        """Events that a publisher did not take yet."""

    @property
    def events(self) -> Events:
        """The archive."""

    @property
    def status(self) -> Status:
        """The state of the whole."""

    @property
    def tokens(self) -> Tokens:
        """API tokens."""

    @property
    def history(self) -> History:
        """What people changed."""


class Parts(Protocol):
    """What a desk on this machine works with; the composition root has it."""

    @property
    def settings(self) -> Settings:
        """The effective settings."""

    @property
    def store(self) -> SqlStore:
        """The store, opened at the first use."""

    @property
    def kinds(self) -> Kinds:
        """The kinds of notifications."""

    @property
    def templates(self) -> Templates:
        """What puts notifications into words."""

    @property
    def telling(self) -> Telling:
        """What brings notifications to people."""

    def past(self) -> Past:
        """Where to find what was there before, to try something out with."""

    def sender(self) -> Sender:
        """What sends notifications."""

    def clock(self) -> datetime:
        """Now, aware UTC."""

    def new_id(self) -> str:
        """A new unique id."""

    def replay_rejected(self, rejected: RejectedEvent) -> str | None:
        """Take a rejected event in again; the reason, if it is rejected again."""

    def costly_alarms(self) -> list[tuple[str | None, str, int]]:
        """What can cost most to match: (project or None for all, event type, alarms scanned)."""
