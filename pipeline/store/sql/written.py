"""Written: rows and keys as statements are given them, each value as the databases take it.

Used by `pipeline.store.sql.bulk` and `pipeline.store.sql.single`; executes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Column, ColumnElement, Executable, Table, literal_column, select

from pipeline.store.sql.driven import Build
from pipeline.store.types import encoder

Rows = Sequence[Mapping[str, Any]]


class Written(NamedTuple):
    """Rows to insert; or, with a `key` (one of their columns), to set where it is the row's."""

    table: Table
    rows: Rows
    key: str = ""


Shape: TypeAlias = tuple[Table, tuple[str, ...], str]
"""What a `Written` is about: its table, its columns, its key."""


Besides: TypeAlias = tuple[Column[Any], str]
"""A column, and the value that rows are passed over for."""


def other_than(besides: Besides | None) -> tuple[ColumnElement[bool], ...]:
    """What holds of the rows that are not passed over."""
    return () if besides is None else (besides[0] != besides[1],)


def shape_of(written: Written) -> Shape:
    """What a statement that writes the rows is made of; the key stands last."""
    names = tuple(map(str, written.rows[0]))
    key = written.key
    return written.table, (*(n for n in names if n != key), key) if key else names, key


def with_parts(beside: Build | None, parts: Sequence[Any]) -> Executable:
    """One statement that does all the parts, and selects what `beside` makes."""
    wanted = beside(False) if beside else select(literal_column("1"))
    made: Executable = wanted.add_cte(*parts)
    return made


def key_parameter(key: Column[Any]) -> str:
    """The name of the parameter that holds the key, or the keys, of this column."""
    return f"keys_{key.name}"


def table_rows(table: Table, names: tuple[str, ...], rows: Rows) -> list[tuple[Any, ...]]:
    """The rows' values in the order of the names, encoded."""
    return _encoded(_table_encoders(table, names), map(itemgetter(*names), rows))


def encoded(
    columns: Sequence[Column[Any]], rows: Iterable[Sequence[Any]]
) -> list[tuple[Any, ...]]:
    """The rows, whose values stand in the order of the columns, as the databases take them."""
    return _encoded(_encoders(tuple(columns)), rows)


_Encoders = Sequence[tuple[int, Callable[[Any], Any]]]
"""For the columns that need one: where in a row it stands, and what makes its values ready."""


@lru_cache
def _table_encoders(table: Table, names: tuple[str, ...]) -> _Encoders:
    return _encoders(tuple(table.c[name] for name in names))


@lru_cache
def _encoders(columns: tuple[Column[Any], ...]) -> _Encoders:
    encoders = [(at, encoder(c.type)) for at, c in enumerate(columns)]
    return [(at, encode) for at, encode in encoders if encode is not None]


def _encoded(needed: _Encoders, rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    done = []
    for row in rows:
        values = list(row)
        for at, encode in needed:
            if values[at] is not None:
                values[at] = encode(values[at])
        done.append(tuple(values))
    return done
