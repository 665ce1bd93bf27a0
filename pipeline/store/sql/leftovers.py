"""What came in and went no further: rejected events, and events that no publisher took."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from pipeline.errors import Ambiguous, NotFound
from pipeline.store import schema
from pipeline.store.base import Publication, RejectedEvent
from pipeline.store.rows import publication_from, rejected_from
from pipeline.store.sql.bulk import update_all
from pipeline.store.sql.part import Part

_rejected, _publication = schema.rejected_event.c, schema.publication.c


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

    def forget_rejected(self, rejected_id: str) -> None:
        """Delete one that was replayed."""
        with self._database.write() as connection:
            this = _rejected.rejected_id == rejected_id
            connection.execute(delete(schema.rejected_event).where(this))


class SqlPublications(Part):
    """`store.base.Publications`."""

    def claim_publications(self, limit: int, lease: timedelta, now: datetime) -> list[Publication]:
        """Take due publications, oldest first; nobody else gets them until the lease ends."""
        due = _publication.due_at <= now
        statement = (
            select(schema.publication)
            .where(due)
            .order_by(_publication.due_at, _publication.publication_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._database.read() as connection:
            if connection.execute(select(_publication.due_at).where(due).limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            rows = connection.execute(statement).all()
            leased = [{"publication_id": r.publication_id, "due_at": now + lease} for r in rows]
            update_all(connection, schema.publication, "publication_id", leased)
        return [publication_from(row) for row in rows]

    def published(self, publication_id: str) -> None:
        """It was taken at last: forget it."""
        with self._database.write() as connection:
            this = _publication.publication_id == publication_id
            connection.execute(delete(schema.publication).where(this))

    def publish_again_at(self, publication_id: str, due_at: datetime, error: str) -> None:
        """It was not taken again: keep it, with the newest error and one attempt more."""
        this = _publication.publication_id == publication_id
        values = {"due_at": due_at, "error": error, "attempts": _publication.attempts + 1}
        with self._database.write() as connection:
            connection.execute(update(schema.publication).where(this).values(values))
