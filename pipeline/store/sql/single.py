"""Single: one row for each table, or one key to look for, as plain values.

As a quiet cloud has it, where an event is alone in its batch: PostgreSQL plans and executes this
in about half the time that it takes for what it has to unpack first (`pipeline.store.sql.bulk`,
which calls this).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Executable,
    FromClause,
    Text,
    bindparam,
    insert,
    select,
    update,
)

from pipeline.store.sql import driven
from pipeline.store.sql.driven import Build
from pipeline.store.sql.written import (
    Besides,
    Shape,
    Written,
    encoded,
    key_parameter,
    other_than,
    shape_of,
    table_rows,
    with_parts,
)


def select_one(
    connection: Connection,
    wanted: FromClause | tuple[Column[Any], ...],
    columns: tuple[Column[Any], ...],
    key: Sequence[Any],
    *,
    lock: bool = False,
    besides: Besides | None = None,
) -> list[Sequence[Any]]:
    """What is wanted of the rows in which the columns are together the key, and the column
    `besides` has another value than it says; with `lock`, held."""
    ((*values,),) = encoded(columns, [key])
    given = dict(zip(map(key_parameter, columns), values, strict=True))
    return driven.execute(connection, given, _select_one, wanted, columns, lock, besides)


def write(connection: Connection, written: Sequence[Written], beside: Build | None) -> None:
    """Insert, or update, the one row of each, in PostgreSQL by one statement; `beside` makes what
    this is to select by the way."""
    given: dict[str, Any] = {}
    shapes = tuple(map(shape_of, written))
    for each, (table, names, _), places in zip(written, shapes, _places(shapes), strict=True):
        (values,) = table_rows(table, names, each.rows)
        given.update(zip(places, values, strict=True))
    driven.execute(connection, given, _write, shapes, beside)


def _select_one(
    _on_sqlite: bool,
    wanted: FromClause | tuple[Column[Any], ...],
    columns: tuple[Column[Any], ...],
    lock: bool,
    besides: Besides | None,
) -> Executable:
    what = wanted if isinstance(wanted, tuple) else (wanted,)
    is_key = [c == bindparam(key_parameter(c), type_=Text()) for c in columns]
    these = select(*what).where(*is_key, *other_than(besides))
    return these.with_for_update() if lock else these


def _write(_on_sqlite: bool, shapes: tuple[Shape, ...], beside: Build | None) -> Executable:
    parts = []
    for at, ((table, names, key), places) in enumerate(zip(shapes, _places(shapes), strict=True)):
        values = {
            name: bindparam(place, type_=table.c[name].type)
            for name, place in zip(names, places, strict=True)
        }
        made: Any
        if key:
            made = update(table).where(table.c[key] == values.pop(key)).values(values)
        else:
            made = insert(table).values(values)
        parts.append(made.cte(f"part_{at}"))
    return with_parts(beside, parts)


@lru_cache
def _places(shapes: tuple[Shape, ...]) -> Sequence[Sequence[str]]:
    """The names of the parameters, one for each column of each table."""
    return [[f"given_{at}_{name}" for name in names] for at, (_, names, _) in enumerate(shapes)]
