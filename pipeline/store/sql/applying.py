"""Applying: alarms and entries as files say, read and written in one transaction each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Connection, select

from pipeline.access import LOCAL, Caller
from pipeline.alarms.alarm import Alarm
from pipeline.errors import Conflict
from pipeline.store import schema
from pipeline.store.applying import Present, Wanted
from pipeline.store.rows import alarm_from
from pipeline.store.sql.alarms import SqlAlarms
from pipeline.store.sql.changing import Change, Held
from pipeline.store.sql.marks import ALARM, applied_by, mark_applied
from pipeline.store.sql.revisions import Revision, next_revision
from pipeline.store.sql.routing import SqlRouting

_alarm = schema.alarm
_AT_A_TIME = 500


class SqlApplying(SqlAlarms, SqlRouting):
    """`store.applying.Applying`, and both that it stands on."""

    def present(self, ids: Collection[str], names: Collection[str], owner: str | None) -> Present:
        """What there is now; see `store.applying.Applying`."""
        with self._database.read() as connection:
            marked = set() if owner is None else applied_by(connection, owner)
            if owner is None:
                alarms = _chosen(connection, None, [])
            else:
                wanted = {*ids, *(id for kind, id in marked if kind == ALARM)}
                by_id = _chosen(connection, _alarm.c.alarm_id, wanted)
                alarms = {**by_id, **_chosen(connection, _alarm.c.name, names)}
            entries, digests, unreadable = self._in_clear(connection)
        return Present(list(alarms.values()), entries, digests, unreadable, marked)

    def apply(self, wanted: Wanted, by: Caller = LOCAL) -> None:
        """Write it, all or nothing; see `store.applying.Applying`."""
        with self._database.write() as connection:
            if wanted.created or wanted.updated or wanted.deleted:
                self._apply_alarms(connection, wanted, by)
            if wanted.entries:
                self._change(connection, wanted.entries)
            mark_applied(connection, wanted.owner, wanted.marks)

    def _apply_alarms(self, connection: Connection, wanted: Wanted, by: Caller) -> None:
        revision = next_revision(connection, Revision.ALARMS)
        change = Change(wanted.created, wanted.updated, wanted.deleted)
        held = self._hold(connection, change)
        for present, read in zip(_before(held), (*wanted.updated, *wanted.deleted), strict=True):
            if present.revision != read.revision:
                message = f"alarm {present.name!r} has been changed meanwhile. Apply again."
                raise Conflict(message)
        self._carry_out(connection, held, revision, by)


def _before(held: Held) -> list[Alarm]:
    return [*(before for before, _ in held.updated), *held.deleted]


def _chosen(connection: Connection, column: Any, values: Collection[str]) -> dict[str, Alarm]:
    """The alarms of which a column has one of these values, by id; all where it is None."""
    found: dict[str, Alarm] = {}
    for statement in _statements(column, values):
        for row in connection.execute(statement):
            alarm = alarm_from(row)
            found[alarm.alarm_id] = alarm
    return found


def _statements(column: Any, values: Collection[str]) -> Iterator[Any]:
    if column is None:
        yield select(_alarm)
        return
    given = sorted(values)
    for start in range(0, len(given), _AT_A_TIME):
        yield select(_alarm).where(column.in_(given[start : start + _AT_A_TIME]))
