"""Bulk: many rows in one statement.

A driver handles parameters one by one, which for a batch of transitions costs more than the
database does. So the rows go to PostgreSQL as one parameter, a JSON document that it unpacks
itself (half the time of its driver's executemany), and to SQLite as plain tuples.

Keys to look for go to PostgreSQL as arrays. Of an array its planner knows the length, and takes
the index; of a document it guesses a hundred rows, and may read a whole table for one key.

Used by the other modules of `pipeline.store.sql` for whatever comes in batches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    Row,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.store.documents import KEY_LENGTH
from pipeline.store.sql import driven, single
from pipeline.store.sql.driven import Build
from pipeline.store.sql.written import (
    Besides,
    Rows,
    Shape,
    Written,
    encoded,
    key_parameter,
    other_than,
    shape_of,
    table_rows,
    with_parts,
)
from pipeline.store.types import WireKey

Item = TypeVar("Item")

_AT_A_TIME = 1_000
_NUL = rb"\u0000"
_GIVEN = "given"
_KEYS = "keys"


def insert_all(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert the rows, which all have the same columns."""
    if not rows:
        return
    names = tuple(map(str, rows[0]))
    for portion in portions(rows):
        if connection.dialect.name == "sqlite":
            _execute_many(connection, _sqlite_insert(table, names), table, names, portion)
        else:
            given = {_GIVEN: _rows_document(table, names, portion)}
            driven.execute(connection, given, _insert_given, table, names)


def write_all(
    connection: Connection, written: Sequence[Written], beside: Build | None = None
) -> None:
    """Insert and update all of it, in PostgreSQL by one statement where the rows are not too many:
    each statement more is a journey to the database more. Not for tables that come twice.

    `beside` makes what PostgreSQL is to select by the way.
    """
    some = [each for each in written if each.rows]
    most = max((len(each.rows) for each in some), default=0)
    if most == 1 and connection.dialect.name != "sqlite":
        single.write(connection, some, beside)
        return
    if some and most <= _AT_A_TIME and connection.dialect.name != "sqlite":
        shapes = tuple(shape_of(each) for each in some)
        given: dict[str, Any] = {}
        for at, (each, (_, names, key)) in enumerate(zip(some, shapes, strict=True)):
            given[f"{_GIVEN}_{at}"] = _rows_document(each.table, names, each.rows)
            if key:
                given[f"{_KEYS}_{at}"] = [row[key] for row in each.rows]
        driven.execute(connection, given, _write_given, shapes, beside)
        return
    for table, rows, key in some:
        if key:
            update_all(connection, table, key, rows)
        else:
            insert_all(connection, table, rows)
    if beside and connection.dialect.name != "sqlite":
        driven.execute(connection, {}, beside)


def insert_new(connection: Connection, table: Table, rows: Rows, key: str) -> None:
    """Insert the rows whose `key` is not there yet, in the key's order.

    The order keeps two transactions that insert the same keys from waiting for each other.
    """
    if not rows:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    ordered = sorted(rows, key=lambda row: str(row[key]))
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), ordered)


def insert_absent(
    connection: Connection, table: Table, rows: Rows, key: Column[str], number: Column[int]
) -> dict[str, int]:
    """Insert the rows whose `key`, given as it is stored, is not there yet.

    What the database gave each of these as its `number`, by key. The key's order keeps two
    transactions that insert the same keys from waiting for each other.
    """
    found: dict[str, int] = {}
    for portion in portions(sorted(rows, key=lambda row: str(row[key.name]))):
        if connection.dialect.name == "sqlite":
            # The one writer: nobody else inserts between these statements.
            there = _numbers(connection, portion, key, number)
            absent = [row for row in portion if row[key.name] not in there]
            insert_all(connection, table, absent)
            found |= _numbers(connection, absent, key, number)
        else:
            names = tuple(map(str, portion[0]))
            document = _rows_document(table, names, portion)
            statement = _insert_absent(table, names, key, number)
            found |= {row[0]: row[1] for row in connection.execute(statement, {_GIVEN: document})}
    return found


def update_all(connection: Connection, table: Table, key: str, rows: Rows) -> None:
    """Set the columns of each row where `key`, one of them, is the row's."""
    if not rows:
        return
    names = (*(str(name) for name in rows[0] if name != key), key)
    for portion in portions(rows):
        if connection.dialect.name == "sqlite":
            _execute_many(connection, _sqlite_update(table, names), table, names, portion)
        else:
            document = _rows_document(table, names, portion)
            given = {_GIVEN: document, _KEYS: [row[key] for row in portion]}
            driven.execute(connection, given, _update_given, table, names)


def among(connection: Connection, *columns: Column[Any]) -> ColumnElement[bool]:
    """Whether the columns are together one of the keys given to `execute_given`."""
    return among_given(connection.dialect.name == "sqlite", columns)


def select_given(
    connection: Connection,
    wanted: FromClause | tuple[Column[Any], ...],
    columns: tuple[Column[Any], ...],
    keys: Collection[Sequence[Any]],
    *,
    lock: bool = False,
    besides: Besides | None = None,
) -> list[Sequence[Any]]:
    """What is wanted of the rows in which the columns are together one of the keys, in the order
    of the columns; with `lock`, they are locked in that order and held. Rows in which the column
    `besides` has the value that it says are passed over.

    A portion of the keys after the other, like `execute_given`, but by a statement that is made
    only once.
    """
    rows: list[Sequence[Any]] = []
    for portion in portions(keys):
        if len(portion) == 1:
            key = portion[0]
            rows += single.select_one(connection, wanted, columns, key, lock=lock, besides=besides)
            continue
        given = given_keys(connection, columns, portion)
        rows += driven.execute(connection, given, _select_given, wanted, columns, lock, besides)
    return rows


def _select_given(
    on_sqlite: bool,
    wanted: FromClause | tuple[Column[Any], ...],
    columns: tuple[Column[Any], ...],
    lock: bool,
    besides: Besides | None,
) -> Executable:
    what = wanted if isinstance(wanted, tuple) else (wanted,)
    these = select(*what).where(among_given(on_sqlite, columns), *other_than(besides))
    return these.order_by(*columns).with_for_update() if lock else these


def among_given(on_sqlite: bool, columns: tuple[Column[Any], ...]) -> ColumnElement[bool]:
    """Whether the columns are together one of the `given_keys`: for `driven.execute`."""
    given = _given(True, columns) if on_sqlite else _given_keys(columns)
    wanted = select(*given.c)
    return columns[0].in_(wanted) if len(columns) == 1 else tuple_(*columns).in_(wanted)


def execute_given(
    connection: Connection,
    statement: Executable,
    columns: Sequence[Column[Any]],
    keys: Collection[Sequence[Any]],
) -> list[Row[Any]]:
    """Execute a statement that says `among(connection, *columns)`, and give its rows.

    It is executed for a portion of the keys after the other, in the order of the keys.
    """
    rows: list[Row[Any]] = []
    for portion in portions(keys):
        result = connection.execute(statement, given_keys(connection, columns, portion))
        if result.returns_rows:
            rows.extend(result)
    return rows


def given_keys(
    connection: Connection, columns: Sequence[Column[Any]], keys: Iterable[Sequence[Any]]
) -> dict[str, Any]:
    """The keys as parameters of a statement that says `among` or `among_given`."""
    values_of = encoded(columns, keys)
    if connection.dialect.name == "sqlite":
        return {_GIVEN: _document(tuple(str(c.name) for c in columns), values_of)}
    arrays = [[values[at] for values in values_of] for at in range(len(columns))]
    return dict(zip(map(key_parameter, columns), arrays, strict=True))


def portions(items: Collection[Item]) -> Iterator[list[Item]]:
    """The items in order, a thousand at a time: a statement has its limits."""
    ordered = list(items)
    for start in range(0, len(ordered), _AT_A_TIME):
        yield ordered[start : start + _AT_A_TIME]


# --- SQLite ----------------------------------------------------------------------------------


@lru_cache
def _sqlite_insert(table: Table, names: tuple[str, ...]) -> str:
    places = ", ".join("?" * len(names))
    return f'INSERT INTO "{table.name}" ({_quoted(names)}) VALUES ({places})'


@lru_cache
def _sqlite_update(table: Table, names: tuple[str, ...]) -> str:
    *changed, key = names
    settings = ", ".join(f'"{name}" = ?' for name in changed)
    return f'UPDATE "{table.name}" SET {settings} WHERE "{key}" = ?'


def _execute_many(
    connection: Connection, sql: str, table: Table, names: tuple[str, ...], rows: Rows
) -> None:
    driven.execute_many(connection, sql, table_rows(table, names, rows))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _numbers(
    connection: Connection, rows: Rows, key: Column[str], number: Column[int]
) -> dict[str, int]:
    these = select(key, number).where(among(connection, key))
    keys = [(row[key.name],) for row in rows]
    found: list[Any] = execute_given(connection, these, [key], keys)
    return {row[0]: row[1] for row in found}


# --- PostgreSQL ------------------------------------------------------------------------------


def _write_given(_on_sqlite: bool, shapes: tuple[Shape, ...], beside: Build | None) -> Executable:
    parts = []
    for at, (table, names, key) in enumerate(shapes):
        document, keys = f"{_GIVEN}_{at}", f"{_KEYS}_{at}"
        made: Any = (
            _update_given(False, table, names, document, keys)
            if key
            else _insert_given(False, table, names, document)
        )
        parts.append(made.cte(f"part_{at}"))
    return with_parts(beside, parts)


def _insert_given(
    _on_sqlite: bool, table: Table, names: tuple[str, ...], document: str = _GIVEN
) -> Executable:
    given = _given(False, tuple(table.c[name] for name in names), document)
    return insert(table).from_select(names, select(*given.c))


@lru_cache
def _insert_absent(
    table: Table, names: tuple[str, ...], key: Column[str], number: Column[int]
) -> Executable:
    given = _given(False, tuple(table.c[name] for name in names))
    inserting = postgresql.insert(table).from_select(names, select(*given.c))
    return inserting.on_conflict_do_nothing().returning(key, number)


def _update_given(
    _on_sqlite: bool,
    table: Table,
    names: tuple[str, ...],
    document: str = _GIVEN,
    keys: str = _KEYS,
) -> Executable:
    *changed, key = names
    given = _given(False, tuple(table.c[name] for name in names), document)
    wanted = any_(bindparam(keys, type_=postgresql.ARRAY(Text())))
    these = update(table).where(table.c[key] == given.c[key], table.c[key] == wanted)
    return these.values({name: given.c[name] for name in changed})


@lru_cache
def _given_keys(columns: tuple[Column[Any], ...]) -> FromClause:
    """The given arrays, one for each column, as a table."""
    arrays = [bindparam(key_parameter(c), type_=postgresql.ARRAY(Text())) for c in columns]
    names = [column(c.name, Text()) for c in columns]
    return func.unnest(*arrays).table_valued(*names).render_derived(name=_GIVEN)


# --- both ------------------------------------------------------------------------------------


@lru_cache
def _given(on_sqlite: bool, columns: tuple[Column[Any], ...], name: str = _GIVEN) -> FromClause:
    """The given JSON document, an array of objects, as a table with these columns."""
    document = bindparam(name, type_=Text())
    if on_sqlite:
        value = func.json_each(document).table_valued("value").c.value
        each = [func.json_extract(value, f"$.{c.name}").label(c.name) for c in columns]
        return select(*each).subquery(_GIVEN)
    typed = [column(c.name, c.type) for c in columns]
    unpacked = func.json_to_recordset(cast(document, postgresql.JSON()))
    return unpacked.table_valued(*typed).render_derived(name=name, with_types=True)


def _rows_document(table: Table, names: tuple[str, ...], rows: Rows) -> str:
    """The rows as a JSON document. Where no value needs a change, which is all but always, they
    are written out as they are: looking at each value takes longer than writing it."""
    keys = [name for name in names if isinstance(table.c[name].type, WireKey)]
    if all(len(row[key]) <= KEY_LENGTH for key in keys for row in rows):
        with suppress(TypeError):  # a lone surrogate, or a huge integer
            document = orjson.dumps(rows)
            if _NUL not in document:
                return document.decode()
    return _document(names, table_rows(table, names, rows))


def _document(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    return orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()
