"""Alarms: what people do to them, and how workers follow.

Every change locks its alarm and then takes the next revision, which locks the one row that holds
it: revisions are committed in their order, so a worker that has seen one has seen all before it. A
firing is no change in this sense: it takes no revision, so workers do not queue for the row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, cast

from sqlalchemy import Connection, delete, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from pipeline.access import LOCAL, Caller
from pipeline.alarms.alarm import Alarm, State
from pipeline.errors import Ambiguous, Conflict, InvalidValue, NotFound
from pipeline.store import schema
from pipeline.store.base import AlarmChanges, HistoryEntry
from pipeline.store.documents import KEY_LENGTH, storable_key, to_json
from pipeline.store.quotas import QuotaDefaults
from pipeline.store.rows import alarm_difference, alarm_document, alarm_from, alarm_row
from pipeline.store.sql.bulk import among, execute_given, insert_all
from pipeline.store.sql.marks import ALARM, forget_applied
from pipeline.store.sql.part import Part
from pipeline.store.sql.quotas import check_quotas
from pipeline.store.sql.revisions import Revision, is_present, next_revision, present_revision
from pipeline.store.sql.telling import tell

_alarm, _deleted, _history = schema.alarm, schema.deleted_alarm, schema.alarm_history

_PUBLISHER_ID = "tocsin.api"
_MANUALLY = "Manually set via API"
_NAMED_AT_MOST = 10
_CREATED_AT_A_TIME = 1_000
KEPT_BY_UPDATE = ("state", "state_timestamp", "state_reason", "evaluate_timestamp")


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


class SqlAlarms(Part):
    """`store.base.Alarms`, but for `search`."""

    def create(
        self, alarm: Alarm, by: Caller = LOCAL, *, quotas: QuotaDefaults | None = None
    ) -> Alarm:
        """Store a new alarm; history type `creation`. Returns it with its revision.

        With `quotas` it is checked, and raises `OverQuota` where its project, or its user,
        has as many as they may.
        """
        with self._database.write() as connection:
            revision = next_revision(connection, Revision.ALARMS)
            self._insert(connection, [alarm], revision, by)
            check_quotas(connection, [owner(alarm)], quotas)
        return replace(alarm, revision=revision)

    def create_many(
        self, alarms: Iterable[Alarm], by: Caller = LOCAL, *, quotas: QuotaDefaults | None = None
    ) -> int:
        """Store new alarms, all of them or none; `alarms` may be a generator. How many.

        Raises as `create`.
        """
        remaining, created = iter(alarms), 0
        owners: set[tuple[str, str]] = set()
        with self._database.write() as connection:
            revision = next_revision(connection, Revision.ALARMS)
            while portion := list(islice(remaining, _CREATED_AT_A_TIME)):
                self._insert(connection, portion, revision, by)
                created += len(portion)
                owners.update(map(owner, portion))
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
        _check_ids(alarm)
        with self._database.write() as connection:
            before = locked(connection, alarm.alarm_id)
            _check_unchanged(before, if_revision)
            after = replace(alarm, **{name: getattr(before, name) for name in KEPT_BY_UPDATE})
            if with_state and alarm.state is not before.state:
                at, state = alarm.timestamp, alarm.state
                after = replace(after, state=state, state_timestamp=at, state_reason=_MANUALLY)
            if not alarm_difference(before, after):
                return before
            revision = next_revision(connection, Revision.ALARMS)
            self._replace(connection, before, after, revision, by)
            if owner(before) != owner(after):
                check_quotas(connection, [owner(after)], quotas)
        return replace(after, revision=revision)

    def delete(self, alarm_id: str, by: Caller = LOCAL, *, if_revision: int | None = None) -> None:
        """Delete; history type `deletion` stays. Raises `NotFound`, and `Conflict` as `update`."""
        with self._database.write() as connection:
            alarm = locked(connection, alarm_id)
            _check_unchanged(alarm, if_revision)
            revision = next_revision(connection, Revision.ALARMS)
            self._remove(connection, alarm, revision, by)

    def set_state(self, alarm_id: str, state: State, at: datetime, by: Caller = LOCAL) -> Alarm:
        """Set the state by hand: reason "Manually set via API", history `state transition`."""
        with self._database.write() as connection:
            before = locked(connection, alarm_id)
            revision = next_revision(connection, Revision.ALARMS)
            change = {"state": state.value, "state_reason": _MANUALLY}
            values = {**change, "state_timestamp": at, "revision": revision}
            connection.execute(_of(update(_alarm), alarm_id).values(values))
            self._record(connection, "state transition", [(before, change)], by, at)
        return replace(
            before, state=state, state_reason=_MANUALLY, state_timestamp=at, revision=revision
        )

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

    def _insert(
        self, connection: Connection, alarms: list[Alarm], revision: int, by: Caller
    ) -> None:
        for alarm in alarms:
            _check_ids(alarm)
        ids = [alarm.alarm_id for alarm in alarms]
        try:
            insert_all(connection, _alarm, [alarm_row(alarm, revision) for alarm in alarms])
        except IntegrityError as error:
            which = f"the id {ids[0]}" if len(ids) == 1 else "one of these ids"
            raise InvalidValue(f"there is already an alarm with {which}", "alarm_id") from error
        # One that was deleted and comes back is no longer deleted for those who follow.
        key = _deleted.c.alarm_id
        back = delete(_deleted).where(among(connection, key))
        execute_given(connection, back, [key], [(alarm_id,) for alarm_id in ids])
        changes = [(alarm, alarm_document(alarm)) for alarm in alarms]
        self._record(connection, "creation", changes, by)

    def _replace(
        self, connection: Connection, before: Alarm, after: Alarm, revision: int, by: Caller
    ) -> None:
        """Put the one that is locked in the place of another, if anything of it changes."""
        if change := alarm_difference(before, after):
            row = alarm_row(after, revision)
            connection.execute(_of(update(_alarm), after.alarm_id).values(row))
            self._record(connection, "rule change", [(after, change)], by)

    def _remove(self, connection: Connection, alarm: Alarm, revision: int, by: Caller) -> None:
        """Delete an alarm that is locked."""
        connection.execute(_of(delete(_alarm), alarm.alarm_id))
        now = self._clock()
        gone = {"alarm_id": alarm.alarm_id, "revision": revision, "deleted_at": now}
        connection.execute(insert(_deleted).values(gone))
        change = {"state": alarm.state.value}
        self._record(connection, "deletion", [(alarm, change)], by, now)
        forget_applied(connection, ALARM, [alarm.alarm_id])

    def _record(
        self,
        connection: Connection,
        type: str,
        changes: list[tuple[Alarm, dict[str, Any]]],
        by: Caller,
        at: datetime | None = None,
    ) -> None:
        """Write a line of history for each change; `at` the alarm's own timestamp if not said."""
        rows = [
            {
                "event_id": self._new_id(),
                "alarm_id": alarm.alarm_id,
                "type": type,
                "detail": to_json(change),
                "severity": alarm.severity.value,
                "project_id": by.project_id,
                "user_id": by.user_id,
                "on_behalf_of": alarm.project_id,
                "timestamp": at or alarm.timestamp,
            }
            for alarm, change in changes
        ]
        insert_all(connection, _history, rows)
        tell(connection, self._told, rows, _PUBLISHER_ID, self._clock(), self._new_id)


def owner(alarm: Alarm) -> tuple[str, str]:
    """Whose quotas it counts for: the user's and the project's."""
    return alarm.user_id, alarm.project_id


def locked(connection: Connection, alarm_id: str) -> Alarm:
    """The alarm, held against change until the transaction ends."""
    return _only(connection, select(_alarm).with_for_update(), alarm_id)


def _only(connection: Connection, statement: Any, alarm_id: str) -> Alarm:
    row = connection.execute(_of(statement, alarm_id)).first()
    if row is None:
        raise NotFound(f"Alarm {alarm_id} not found")
    return alarm_from(row)


def _of(statement: Any, alarm_id: str) -> Any:
    return statement.where(_alarm.c.alarm_id == alarm_id)


def _check_unchanged(alarm: Alarm, if_revision: int | None) -> None:
    if if_revision is not None and if_revision != alarm.revision:
        raise Conflict(
            f"alarm {alarm.alarm_id} was changed meanwhile. Look at it again, and change that.",
            "digest",
        )


def _check_ids(alarm: Alarm) -> None:
    """Ids are looked up by index, so they are stored as they are or not at all."""
    for field in ("alarm_id", "project_id", "user_id"):
        value = getattr(alarm, field)
        if value != storable_key(value):
            message = f"{field} must be at most {KEY_LENGTH} characters, without U+0000"
            raise InvalidValue(message, field)


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
