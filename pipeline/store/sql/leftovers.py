"""Rejected events: what came in and could not be understood."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, delete, func, literal, select

from pipeline.access import LOCAL, Caller
from pipeline.errors import Ambiguous, NotFound
from pipeline.store import schema
from pipeline.store.access import Action, Change
from pipeline.store.base import RejectedEvent
from pipeline.store.rows import rejected_from
from pipeline.store.sql.changes import record_changes
from pipeline.store.sql.paging import Key, after
from pipeline.store.sql.part import Part

_rejected = schema.rejected_event.c
_NEWEST_FIRST = (Key(_rejected.received_at, descending=True), Key(_rejected.rejected_id))


class SqlRejectedEvents(Part):
    """`store.base.RejectedEvents`."""

    def rejected(
        self, limit: int | None = 100, marker: str | None = None, *, bodies: bool = True
    ) -> list[RejectedEvent]:
        """Rejected events, newest first, after the one whose id is the marker.

        Without their `bodies`, which may be long, these are empty.
        """
        columns: list[ColumnElement[Any]] = [*_rejected]
        if not bodies:
            columns = [each for each in columns if each is not _rejected.body]
            columns.append(literal(b"").label("body"))
        statement = select(*columns).order_by(*(key.ordered for key in _NEWEST_FIRST))
        with self._database.read() as connection:
            beyond = after(connection, _NEWEST_FIRST, marker, "Rejected event")
            if beyond is not None:
                statement = statement.where(beyond)
            return [rejected_from(row) for row in connection.execute(statement.limit(limit))]

    def rejected_event(self, rejected_id: str) -> RejectedEvent:
        """One rejected event; a unique prefix of its id is enough. Raises `NotFound`."""
        starts = func.substr(_rejected.rejected_id, 1, len(rejected_id)) == rejected_id
        statement = select(schema.rejected_event).where(starts).order_by(_rejected.rejected_id)
        with self._database.read() as connection:
            rows = connection.execute(statement.limit(2)).all()
        if not rows:
            raise NotFound(f"Rejected event {rejected_id} not found")
        if len(rows) > 1 and rows[0].rejected_id != rejected_id:
            message = f"more than one rejected event starts with '{rejected_id}'"
            raise Ambiguous(f"{message}. Use more of its id")
        return rejected_from(rows[0])

    def forget_rejected(self, rejected_id: str, by: Caller = LOCAL) -> None:
        """Delete one that was replayed."""
        with self._database.write() as connection:
            this = _rejected.rejected_id == rejected_id
            gone = connection.execute(delete(schema.rejected_event).where(this)).rowcount
            if gone:
                replayed = Change("rejected-event", rejected_id, Action.DELETE)
                record_changes(connection, [replayed], by, self._clock())
