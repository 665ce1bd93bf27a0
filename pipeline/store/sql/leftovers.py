"""Rejected events: what came in and could not be understood."""

from __future__ import annotations

from sqlalchemy import delete, func, select

from pipeline.access import LOCAL, Caller
from pipeline.errors import Ambiguous, NotFound
from pipeline.store import schema
from pipeline.store.access import Action, Change
from pipeline.store.base import RejectedEvent
from pipeline.store.rows import rejected_from
from pipeline.store.sql.changes import record_changes
from pipeline.store.sql.part import Part

_rejected = schema.rejected_event.c


class SqlRejectedEvents(Part):
    """`store.base.RejectedEvents`."""

    def rejected(self, limit: int = 100) -> list[RejectedEvent]:
        """Rejected events, newest first."""
        newest = (_rejected.received_at.desc(), _rejected.rejected_id)
        statement = select(schema.rejected_event).order_by(*newest).limit(limit)
        with self._database.read() as connection:
            return [rejected_from(row) for row in connection.execute(statement)]

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
