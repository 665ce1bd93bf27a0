"""The history of what people changed: a line for each change, in the change's own transaction.

Whoever changes what people set up calls `record_changes` before it commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from pipeline.access import Caller
from pipeline.masking import mask_url
from pipeline.store import schema
from pipeline.store.access import Action, Change, ChangeEntry
from pipeline.store.documents import from_json, storable_text, to_json
from pipeline.store.sql.bulk import insert_all
from pipeline.store.sql.part import Part

_history = schema.change_history.c


class SqlChanges(Part):
    """`store.access.Changes`."""

    def changes(
        self,
        kind: str | None = None,
        name: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int | None = None,
        names: Collection[str] | None = None,
    ) -> list[ChangeEntry]:
        """The newest first; see `store.access.Changes`."""
        conditions = []
        if kind is not None:
            conditions.append(_history.kind == storable_text(kind))
        if name is not None:
            conditions.append(_history.name == name)
        if since is not None:
            conditions.append(_history.timestamp >= since)
        if before is not None:
            conditions.append(_history.sequence < before)
        if names is not None:
            conditions.append(_history.name.in_(names))
        statement = select(schema.change_history).where(*conditions)
        statement = statement.order_by(_history.sequence.desc()).limit(limit)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(statement)]


def record_changes(
    connection: Connection, changes: Sequence[Change], by: Caller, at: datetime
) -> None:
    """Write the changes down as made by this caller."""
    rows = [
        {
            "kind": change.kind,
            "name": change.name,
            "action": change.action.value,
            "detail": to_json({key: list(pair) for key, pair in change.changed.items()}),
            "user_id": by.user_id,
            "project_id": by.project_id,
            "timestamp": at,
        }
        for change in changes
    ]
    insert_all(connection, schema.change_history, rows)


def record_several(
    connection: Connection,
    action: Action,
    kind: str,
    which: str | None,
    count: int,
    by: Caller,
    at: datetime,
) -> None:
    """Write down what was done to several of a kind at once: to `which`, None for all of them.

    Nothing is written where there was none.
    """
    if count:
        change = Change(kind, mask_url(which or "all"), action, {"count": (None, count)})
        record_changes(connection, [change], by, at)


def difference(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> dict[str, tuple[Any, Any]]:
    """Of two documents the properties that differ, each with what it was and is."""
    old, new = before or {}, after or {}
    names = [*old, *(name for name in new if name not in old)]
    return {
        name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)
    }


def _entry(row: Any) -> ChangeEntry:
    changed = {key: (was, is_) for key, (was, is_) in from_json(row.detail).items()}
    return ChangeEntry(
        sequence=row.sequence,
        change=Change(row.kind, row.name, Action(row.action), changed),
        user_id=row.user_id,
        project_id=row.project_id,
        timestamp=row.timestamp,
    )
