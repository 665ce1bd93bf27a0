"""Driven: statements that are compiled once and go straight to the driver.

Building, looking up and wrapping a statement in SQLAlchemy costs 0.1 to 0.2 ms of CPU each time;
of the few statements that every batch executes that was most of the work. So these are compiled
when they are first needed, and their parameters and rows pass by SQLAlchemy, within its
transaction and with its exceptions.

Called by the other modules of `pipeline.store.sql`; decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ClauseElement

Build = Callable[..., Any]
"""Makes the statement, of what it is about; first it is told whether it is for SQLite."""


def execute(
    connection: Connection, parameters: Mapping[str, Any], build: Build, *about: Any
) -> list[Sequence[Any]]:
    """Execute the statement that `build` makes, which is asked once for each `about`.

    Gives its rows, each value as its column's type reads it; none where it returns none.
    """
    compiled = _compiled(connection.dialect, build, *about)
    driver, given = _driver(connection), compiled.arranged(parameters)
    try:
        cursor = driver.execute(compiled.sql, given)
        rows = cursor.fetchall() if compiled.gives_rows else []
    except _errors(connection) as error:
        raise _translated(connection, error) from error
    return [_read(row, compiled.readers) for row in rows] if compiled.readers else rows


def execute_many(connection: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute SQL, which is the driver's own, for each of the rows."""
    try:
        _driver(connection).executemany(sql, rows)
    except _errors(connection) as error:
        raise _translated(connection, error) from error


_Readers = Sequence[tuple[int, Callable[[Any], Any]]]


class _Compiled:
    """A statement as the driver takes it."""

    def __init__(self, dialect: Dialect, statement: ClauseElement) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._fixed: Mapping[str, Any] = {
            k: v for k, v in compiled.params.items() if v is not None
        }
        self._order: Sequence[str] | None = compiled.positiontup
        # Asking the cursor takes psycopg longer: it would describe every column.
        self.gives_rows = bool(compiled.statement.is_select or compiled.effective_returning)
        self.readers: _Readers = _readers(dialect, statement)

    def arranged(self, parameters: Mapping[str, Any]) -> Any:
        given = {**self._fixed, **parameters} if self._fixed else parameters
        return given if self._order is None else [given[name] for name in self._order]


@lru_cache
def _compiled(dialect: Dialect, build: Build, *about: Any) -> _Compiled:
    return _Compiled(dialect, build(dialect.name == "sqlite", *about))


def _readers(dialect: Dialect, statement: Any) -> _Readers:
    """What makes of a column's value what its type says, for the columns that need it."""
    readers = []
    for at, column in enumerate(getattr(statement, "selected_columns", ())):
        reader = column.type.dialect_impl(dialect).result_processor(dialect, None)
        if reader is not None:
            readers.append((at, reader))
    return readers


def _read(row: Sequence[Any], readers: _Readers) -> Sequence[Any]:
    values = list(row)
    for at, reader in readers:
        values[at] = reader(values[at])
    return values


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _errors(connection: Connection) -> type[Exception]:
    """What the driver raises."""
    driver: Any = connection.dialect.loaded_dbapi
    error: type[Exception] = driver.Error
    return error


def _translated(connection: Connection, error: Any) -> BaseException:
    """The driver's exception as SQLAlchemy's, as everybody here expects it."""
    lent: Any = connection.connection.dbapi_connection
    if lost := connection.dialect.is_disconnect(error, lent, None):
        connection.invalidate(error)
    translated: BaseException = DBAPIError.instance(
        None,
        None,
        error,
        _errors(connection),
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=connection.dialect,
    )
    return translated
