"""What people ask of the store about alarms: to make, find, change and delete them; histories.

Protocols, as those in `pipeline.store.base`, which says what is true of all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pipeline.access import LOCAL, Caller
from pipeline.alarms.alarm import Alarm, State
from pipeline.alarms.criteria import Criterion
from pipeline.store.quotas import QuotaDefaults


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of an alarm's history (alarms 22). `detail` is JSON text."""

    event_id: str
    alarm_id: str
    type: str
    detail: str
    project_id: str
    user_id: str
    on_behalf_of: str
    timestamp: datetime


class Alarms(Protocol):
    """Managing alarms. Every change bumps the revision and writes history, with who it was by, in
    its transaction."""

    def create(
        self, alarm: Alarm, by: Caller = LOCAL, *, quotas: QuotaDefaults | None = None
    ) -> Alarm:
        """Store a new alarm; history type `creation`. Returns it with its revision.

        A composite alarm may refer to others by name, and is evaluated at once. Raises
        `InvalidValue` for references that lead nowhere, or back to it.

        With `quotas` it is checked, and raises `OverQuota` where its project, or its user,
        has as many as they may.
        """

    def create_many(
        self, alarms: Iterable[Alarm], by: Caller = LOCAL, *, quotas: QuotaDefaults | None = None
    ) -> int:
        """Store new alarms, all of them or none; `alarms` may be a generator. How many.

        Raises as `create`.
        """

    def get(self, alarm_id: str) -> Alarm:
        """Raises `NotFound`: "Alarm X not found"."""

    def find(self, id_or_name: str, projects: Collection[str] | None = None) -> Alarm:
        """By id, else by name (alarms 29); of these projects, or all.

        Raises `NotFound` or `Ambiguous` (naming the ids).
        """

    def update(
        self,
        alarm: Alarm,
        by: Caller = LOCAL,
        *,
        if_revision: int | None = None,
        with_state: bool = False,
        quotas: QuotaDefaults | None = None,
    ) -> Alarm:
        """Replace an alarm's definition; history `rule change`, none if nothing changed.

        The state is not part of the definition: it stays as it is now stored, since the alarm
        may have fired after the caller read it. `set_state` sets it, and so does this
        `with_state`. With `if_revision` only if nobody has changed the alarm since; else raises
        `Conflict`, as it does if an alarm that refers to this one could not see it any more. As
        `create` for references and quotas.
        """

    def delete(self, alarm_id: str, by: Caller = LOCAL, *, if_revision: int | None = None) -> None:
        """Delete; history type `deletion` stays. Raises `NotFound`, and `Conflict` ("referenced
        by …") for an alarm that a composite one refers to, and as `update`."""

    def set_state(self, alarm_id: str, state: State, at: datetime, by: Caller = LOCAL) -> Alarm:
        """Set the state by hand: reason "Manually set via API", history `state transition`.

        Composite alarms that refer to it are evaluated. Of a composite alarm, ok and insufficient
        data become the state of its event conditions, too.
        """

    def history(self, alarm_id: str, limit: int | None = None) -> list[HistoryEntry]:
        """The alarm's history, newest first; also of a deleted alarm."""


class AlarmSearch(Protocol):
    """Looking for alarms, and for what became of them."""

    def search(
        self,
        filters: Mapping[str, Any] | None = None,
        sort: Sequence[tuple[str, str]] = (("timestamp", "desc"),),
        limit: int | None = None,
        marker: str | None = None,
        criterion: Criterion | None = None,
    ) -> list[Alarm]:
        """Alarms that equal every filter (an Alarm field each) and meet the criterion; after
        `marker` in sort order.

        Raises `InvalidValue` for an unknown filter, sort key, direction or marker.
        """

    def search_history(
        self,
        criterion: Criterion | None = None,
        sort: Sequence[tuple[str, str]] = (("timestamp", "desc"),),
        limit: int | None = None,
        marker: str | None = None,
    ) -> list[HistoryEntry]:
        """Lines of history that meet the criterion; after the event id `marker` in sort order.

        Those of one moment in the order of their writing, or backwards. Raises `InvalidValue`
        for an unknown sort key, direction or marker.
        """

    def states_of(self, criterion: Criterion | None = None) -> list[tuple[str, str, State]]:
        """Of each alarm that meets the criterion (without regular expressions), in the order of
        their ids: the id, the project and the state."""
