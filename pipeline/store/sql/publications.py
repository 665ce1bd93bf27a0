"""Publications: events that a sink did not take, for its lane to bring and for people to look at.

Each sink's are worked off by themselves, in the order in which they were made. A claim moves the
due time beyond a lease, so that two processes never publish the same one at the same time, and a
process that dies leaves nothing to clean up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, select, true, update

from pipeline.access import LOCAL, Caller
from pipeline.errors import Ambiguous, NotFound
from pipeline.store import schema
from pipeline.store.access import Action
from pipeline.store.base import Publication, PublicationRecord
from pipeline.store.rows import publication_from, publication_row
from pipeline.store.sql.bulk import insert_new, update_all
from pipeline.store.sql.changes import record_several
from pipeline.store.sql.paging import Key, after
from pipeline.store.sql.part import Part

_table, _publication = schema.publication, schema.publication.c
_OLDEST_FIRST = (Key(_publication.created_at), Key(_publication.publication_id))
_ORDER = (_publication.created_at, _publication.publication_id)
_SHOWN = (
    _publication.publication_id,
    _publication.publisher,
    _publication.size,
    _publication.error,
    _publication.attempts,
    _publication.created_at,
    _publication.due_at,
)


class SqlPublications(Part):
    """`store.base.Publications` and `UnpublishedEvents`."""

    # --- the lanes' side -----------------------------------------------------------------

    def waiting_publishers(self) -> list[str]:
        """The publishers that have publications: one look into the index for each."""
        publishers: list[str] = []
        following: ColumnElement[bool] = true()
        with self._database.read() as connection:
            while True:
                first = select(_publication.sink, _publication.publisher).where(following)
                row = connection.execute(first.order_by(_publication.sink).limit(1)).first()
                if row is None:
                    return publishers
                publishers.append(row.publisher)
                following = _publication.sink > row.sink

    def claim_publications(
        self, limit: int, lease: timedelta, now: datetime, publisher: str | None = None
    ) -> list[Publication]:
        """Take due publications, first made first; nobody else has them until the lease ends."""
        due = and_(_publication.due_at <= now, _of(publisher))
        statement = (
            select(_table)
            .where(due)
            .order_by(*_ORDER)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._database.read() as connection:
            if connection.execute(select(_publication.due_at).where(due).limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            rows = connection.execute(statement).all()
            leased = [{"publication_id": r.publication_id, "due_at": now + lease} for r in rows]
            update_all(connection, _table, "publication_id", leased)
        return [publication_from(row) for row in rows]

    def published(self, publication_id: str) -> None:
        """It was taken at last: forget it."""
        with self._database.write() as connection:
            connection.execute(delete(_table).where(_this(publication_id)))

    def publish_again_at(self, publication_id: str, due_at: datetime, error: str) -> None:
        """It was not taken again: keep it, with the newest error and one attempt more."""
        values = {"due_at": due_at, "error": error, "attempts": _publication.attempts + 1}
        with self._database.write() as connection:
            connection.execute(update(_table).where(_this(publication_id)).values(values))

    def replace_publication(self, publication_id: str, parts: Sequence[Publication]) -> None:
        """Put these in its place; nothing, if it is gone."""
        rows = [publication_row(part, self._clock()) for part in parts]
        with self._database.write() as connection:
            gone = connection.execute(delete(_table).where(_this(publication_id))).rowcount
            if gone:
                insert_new(connection, _table, rows, key="publication_id")

    def make_due(self, now: datetime, publisher: str, below_attempts: int) -> None:
        """Let a publisher's be tried now, save those that were tried too often.

        One that another process has claimed may be published twice by this, and is not lost.
        """
        these = and_(
            _of(publisher), _publication.attempts < below_attempts, _publication.due_at > now
        )
        with self._database.write() as connection:
            connection.execute(update(_table).where(these).values(due_at=now))

    # --- people --------------------------------------------------------------------------

    def publications(
        self,
        publishers: Collection[str] | None = None,
        limit: int | None = 100,
        marker: str | None = None,
    ) -> list[PublicationRecord]:
        """Publications of these publishers, or of all, the oldest first; after the one whose id
        is the marker."""
        statement = select(*_SHOWN).order_by(*_ORDER).limit(limit)
        if publishers is not None:
            statement = statement.where(_publication.sink.in_(publishers))
        with self._database.read() as connection:
            if (beyond := after(connection, _OLDEST_FIRST, marker, "Publication")) is not None:
                statement = statement.where(beyond)
            return [_record(row) for row in connection.execute(statement)]

    def publication(self, publication_id: str) -> tuple[PublicationRecord, Publication]:
        """One, with its events; a unique prefix of its id is enough. Raises `NotFound`."""
        starts = func.substr(_publication.publication_id, 1, len(publication_id)) == publication_id
        statement = select(_table).where(starts).order_by(_publication.publication_id).limit(2)
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        if not rows:
            raise NotFound(f"Publication {publication_id} not found")
        if len(rows) > 1 and rows[0].publication_id != publication_id:
            message = f"more than one publication starts with '{publication_id}'"
            raise Ambiguous(f"{message}. Use more of its id")
        row = rows[0]
        return _record(row), publication_from(row)

    def replay_publications(
        self,
        now: datetime,
        publication_id: str | None = None,
        publisher: str | None = None,
        by: Caller = LOCAL,
    ) -> int:
        """Have one, a publisher's, or all tried now, as if for the first time. How many."""
        statement = update(_table).where(_this(publication_id), _of(publisher))
        with self._database.write() as connection:
            count = connection.execute(statement.values(due_at=now, attempts=1)).rowcount
            which = publication_id or publisher
            record_several(
                connection, Action.UPDATE, "publication", which, count, by, self._clock()
            )
            return count

    def purge_publications(
        self,
        publication_id: str | None = None,
        publisher: str | None = None,
        by: Caller = LOCAL,
    ) -> int:
        """Delete their events for good: one's, a publisher's, or all. How many publications."""
        statement = delete(_table).where(_this(publication_id), _of(publisher))
        with self._database.write() as connection:
            count = connection.execute(statement).rowcount
            which = publication_id or publisher
            record_several(
                connection, Action.DELETE, "publication", which, count, by, self._clock()
            )
            return count


def _this(publication_id: str | None) -> ColumnElement[bool]:
    return true() if publication_id is None else _publication.publication_id == publication_id


def _of(publisher: str | None) -> ColumnElement[bool]:
    return true() if publisher is None else _publication.sink == publisher


def _record(row: Any) -> PublicationRecord:
    return PublicationRecord(*(row._mapping[column.name] for column in _SHOWN))
