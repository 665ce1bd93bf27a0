"""Marks: which alarms and entries came from files, and of which set (`tocsin apply`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from pipeline.store import schema

ALARM: Final = "alarm"
ENTRY: Final = "entry"

_AT_A_TIME: Final = 500
_item = schema.applied_item


def applied_by(connection: Connection, owner: str) -> set[tuple[str, str]]:
    """What an earlier apply of this set brought: (`alarm` or `entry`, id or name)."""
    rows = connection.execute(select(_item.c.kind, _item.c.id).where(_item.c.owner == owner))
    return {(row.kind, row.id) for row in rows}


def mark_applied(connection: Connection, owner: str, items: Iterable[tuple[str, str]]) -> None:
    """Say that these came from files of this set, and of no other."""
    rest = iter(sorted(set(items)))
    while some := list(islice(rest, _AT_A_TIME)):
        for kind in (ALARM, ENTRY):
            forget_applied(connection, kind, [id for of, id in some if of == kind])
        rows = [{"kind": kind, "id": id, "owner": owner} for kind, id in some]
        connection.execute(insert(_item), rows)


def forget_applied(connection: Connection, kind: str, ids: Sequence[str]) -> None:
    """Forget where they came from, as they are gone or come from elsewhere now."""
    if ids:
        chosen = _item.c.id.in_(ids)
        connection.execute(delete(_item).where(_item.c.kind == kind, chosen))
