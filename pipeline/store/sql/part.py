"""What every part of `SqlStore` stands on, and the statements that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.store.database import Database

Item = TypeVar("Item")

_PARAMETERS_AT_A_TIME = 1_000


class Part:
    """A part of the store: its database, and where times and ids come from."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id


def portions(items: Collection[Item]) -> Iterator[list[Item]]:
    """The items in order, a thousand at a time: statements take only so many parameters."""
    ordered = list(items)
    for start in range(0, len(ordered), _PARAMETERS_AT_A_TIME):
        yield ordered[start : start + _PARAMETERS_AT_A_TIME]


def insert_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], key: str
) -> None:
    """Insert the rows whose `key` is not there yet, in the key's order.

    The order keeps two transactions that insert the same keys from waiting for each other.
    """
    if not rows:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    ordered = sorted(rows, key=lambda row: str(row[key]))
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), ordered)
