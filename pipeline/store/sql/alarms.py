"""Alarms: what people do to them, and how workers follow.

Every change takes the next revision, which locks the one row that holds it: revisions are
committed in their order, so a worker that has seen one has seen all before it. A firing is no
change in this sense: it takes no revision, so workers do not queue for the row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, cast

from sqlalchemy import Connection, select, true, update

from pipeline.access import LOCAL, Caller
from pipeline.alarms.alarm import COMPOSITE, Alarm, State
from pipeline.alarms.composition import set_by_hand
from pipeline.errors import Ambiguous, Conflict, NotFound
from pipeline.store import schema
from pipeline.store.base import AlarmChanges
from pipeline.store.managing import HistoryEntry
from pipeline.store.quotas import QuotaDefaults
from pipeline.store.rows import alarm_difference, alarm_from
from pipeline.store.rules import leaf_states_text
from pipeline.store.sql.changing import Change, SqlAlarmChanges, check_ids, of_alarm
from pipeline.store.sql.part import Part
from pipeline.store.sql.quotas import check_quotas
from pipeline.store.sql.revisions import (
    Revision,
    hold_revision,
    is_present,
    next_revision,
    present_revision,
)

_alarm, _deleted, _history = schema.alarm, schema.deleted_alarm, schema.alarm_history

_MANUALLY = "Manually set via API"
_NAMED_AT_MOST = 10
_CREATED_AT_A_TIME = 1_000


class SqlAlarmSource(Part):
    """`store.base.AlarmSource`."""

    def all_enabled(self) -> tuple[int, Iterator[Alarm]]:
        """The present revision, and every enabled alarm as of it.

        The alarms are read while they are iterated over; a connection is held until the end, or
        until the iterator is closed.
        """
        stream = self._stream_enabled()
        return cast(int, next(stream)), cast(Iterator[Alarm], stream)

    def _stream_enabled(self) -> Iterator[int | Alarm]:
        with self._database.stream() as connection:
            yield present_revision(connection, Revision.ALARMS)
            for row in connection.execute(select(_alarm).where(_alarm.c.enabled)):
                yield alarm_from(row)

    def changes_since(self, revision: int) -> AlarmChanges:
        """Alarms created, changed (by a person, their state included) or deleted since then.

        A `revision` lower than the one asked for means that the database was put back to an
        earlier time: read all alarms again.
        """
        if is_present(self._database, Revision.ALARMS, revision):
            return AlarmChanges(revision, (), ())
        with self._database.read() as connection:
            present = present_revision(connection, Revision.ALARMS)
            if present <= revision:
                return AlarmChanges(present, (), ())
            changed = select(_alarm).where(_alarm.c.revision > revision)
            deleted = select(_deleted.c.alarm_id).where(_deleted.c.revision > revision)
            return AlarmChanges(
                revision=present,
                changed=[alarm_from(row) for row in connection.execute(changed)],
                deleted=list(connection.scalars(deleted)),
            )


class SqlAlarms(SqlAlarmChanges):
    """`store.managing.Alarms`, but for `search`."""

    def create(
        self, alarm: Alarm, by: Caller = LOCAL, *, quotas: QuotaDefaults | None = None
    ) -> Alarm:
        """Store a new alarm; history type `creation`. Returns it with its revision.

        With `quotas` it is checked, and raises `OverQuota` where its project, or its user,
        has as many as they may.
        """
        with self._database.write() as connection:
            revision = next_revision(connection, Revision.ALARMS)
            if alarm.type != COMPOSITE:
                self._insert(connection, [alarm], revision, by)
            else:
                held = self._hold(connection, Change(created=[alarm]))
                self._carry_out(connection, held, revision, by)
            check_quotas(connection, [owner(alarm)], quotas)
            if alarm.type != COMPOSITE:
                return replace(alarm, revision=revision)
            return _only(connection, select(_alarm), alarm.alarm_id)

    def create_many(
        self, alarms: Iterable[Alarm], by: Caller = LOCAL, *, quotas: QuotaDefaults | None = None
    ) -> int:
        """Store new alarms, all of them or none; `alarms` may be a generator. How many.

        Raises as `create`.
        """
        remaining, created = iter(alarms), 0
        owners: set[tuple[str, str]] = set()
        composites: list[Alarm] = []
        with self._database.write() as connection:
            revision = next_revision(connection, Revision.ALARMS)
            while portion := list(islice(remaining, _CREATED_AT_A_TIME)):
                composites += [alarm for alarm in portion if alarm.type == COMPOSITE]
                others = [alarm for alarm in portion if alarm.type != COMPOSITE]
                self._insert(connection, others, revision, by)
                created += len(portion)
                owners.update(map(owner, portion))
            # Last: they may refer to any of the others.
            if composites:
                held = self._hold(connection, Change(created=composites))
                self._carry_out(connection, held, revision, by)
            check_quotas(connection, sorted(owners), quotas)
        return created

    def get(self, alarm_id: str) -> Alarm:
        """Raises `NotFound`: "Alarm X not found"."""
        with self._database.read() as connection:
            return _only(connection, select(_alarm), alarm_id)

    def find(self, id_or_name: str, projects: Collection[str] | None = None) -> Alarm:
        """By id, else by name (alarms 29); of these projects, or all.

        Raises `NotFound` or `Ambiguous` (naming the ids).
        """
        theirs = true() if projects is None else _alarm.c.project_id.in_(list(projects))
        by_id = select(_alarm).where(_alarm.c.alarm_id == id_or_name, theirs)
        by_name = select(_alarm).where(_alarm.c.name == id_or_name, theirs)
        some = by_name.order_by(_alarm.c.alarm_id).limit(_NAMED_AT_MOST + 1)
        with self._database.read() as connection:
            if row := connection.execute(by_id).first():
                return alarm_from(row)
            rows = connection.execute(some).all()
        if not rows:
            raise NotFound(f"Alarm {id_or_name} not found")
        if len(rows) > 1:
            ids = [row.alarm_id for row in rows[:_NAMED_AT_MOST]]
            more = ", …" if len(rows) > _NAMED_AT_MOST else ""
            message = f"more than one alarm is named '{id_or_name}'. Use an id: {', '.join(ids)}"
            raise Ambiguous(message + more)
        return alarm_from(rows[0])

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
        `Conflict`. Raises `OverQuota` as `create`.
        """
        check_ids(alarm)
        with self._database.write() as connection:
            hold_revision(connection, Revision.ALARMS)
            held = self._hold(connection, Change(updated=[alarm]))
            ((before, after),) = held.updated
            _check_unchanged(before, if_revision)
            if with_state and alarm.state is not before.state:
                after = _set_by_hand(after, alarm.state, alarm.timestamp)
                held = replace(held, updated=[(before, after)])
            if not alarm_difference(before, after):
                return before
            revision = next_revision(connection, Revision.ALARMS)
            self._carry_out(connection, held, revision, by)
            if owner(before) != owner(after):
                check_quotas(connection, [owner(after)], quotas)
            if after.state is not before.state:
                _, referenced = self._hold_one(connection, alarm.alarm_id)
                if referenced:
                    changed = {alarm.alarm_id: after.state}
                    self._evaluate(connection, alarm.timestamp, changed=changed)
            return _only(connection, select(_alarm), alarm.alarm_id)

    def delete(self, alarm_id: str, by: Caller = LOCAL, *, if_revision: int | None = None) -> None:
        """Delete; history type `deletion` stays. Raises `NotFound`, and `Conflict` for an alarm
        that a composite one refers to, and as `update`."""
        with self._database.write() as connection:
            revision = next_revision(connection, Revision.ALARMS)
            gone = _only(connection, select(_alarm), alarm_id)
            _check_unchanged(gone, if_revision)
            held = self._hold(connection, Change(deleted=[gone]))
            self._carry_out(connection, held, revision, by)

    def set_state(self, alarm_id: str, state: State, at: datetime, by: Caller = LOCAL) -> Alarm:
        """Set the state by hand: reason "Manually set via API", history `state transition`.

        Composite alarms that refer to it are evaluated.
        """
        with self._database.write() as connection:
            revision = next_revision(connection, Revision.ALARMS)
            before, referenced = self._hold_one(connection, alarm_id)
            change = {"state": state.value, "state_reason": _MANUALLY}
            values = {**change, "state_timestamp": at, "revision": revision}
            if before.type == COMPOSITE:
                values["leaf_states"] = leaf_states_text(set_by_hand(before, state))
            connection.execute(of_alarm(update(_alarm), alarm_id).values(values))
            self._record(connection, "state transition", [(before, change)], by, at)
            if referenced and state is not before.state:
                self._evaluate(connection, at, changed={alarm_id: state})
            return _only(connection, select(_alarm), alarm_id)

    def history(self, alarm_id: str, limit: int | None = None) -> list[HistoryEntry]:
        """The alarm's history, newest first; also of a deleted alarm."""
        statement = (
            select(_history)
            .where(_history.c.alarm_id == alarm_id)
            .order_by(_history.c.timestamp.desc(), _history.c.sequence.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_history_entry(row) for row in connection.execute(statement)]


def owner(alarm: Alarm) -> tuple[str, str]:
    """Whose quotas it counts for: the user's and the project's."""
    return alarm.user_id, alarm.project_id


def _set_by_hand(alarm: Alarm, state: State, at: datetime) -> Alarm:
    """The alarm in a state that a person gave it."""
    put = replace(alarm, state=state, state_timestamp=at, state_reason=_MANUALLY)
    return set_by_hand(put, state) if alarm.type == COMPOSITE else put


def _only(connection: Connection, statement: Any, alarm_id: str) -> Alarm:
    row = connection.execute(of_alarm(statement, alarm_id)).first()
    if row is None:
        raise NotFound(f"Alarm {alarm_id} not found")
    return alarm_from(row)


def _check_unchanged(alarm: Alarm, if_revision: int | None) -> None:
    if if_revision is not None and if_revision != alarm.revision:
        raise Conflict(
            f"alarm {alarm.alarm_id} was changed meanwhile. Look at it again, and change that.",
            "digest",
        )


def _history_entry(row: Any) -> HistoryEntry:
    return HistoryEntry(
        event_id=row.event_id,
        alarm_id=row.alarm_id,
        type=row.type,
        detail=row.detail,
        project_id=row.project_id,
        user_id=row.user_id,
        on_behalf_of=row.on_behalf_of,
        timestamp=row.timestamp,
    )
