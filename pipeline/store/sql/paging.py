"""Paging by marker: what stands after a row in an order (alarms 20).

The order is total: its last key is the one by which rows are told apart. A page starts after its
marker's place, so no row is shown twice or passed over, whatever is written in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, literal, or_, select

from pipeline.errors import InvalidValue
from pipeline.store.documents import storable_text


class Key(NamedTuple):
    """A key of an order."""

    column: ColumnElement[Any]
    descending: bool = False

    @property
    def ordered(self) -> ColumnElement[Any]:
        """For ORDER BY."""
        return self.column.desc() if self.descending else self.column.asc()

    def beyond(self, here: ColumnElement[Any]) -> ColumnElement[bool]:
        """Rows whose key comes after this one."""
        return self.column < here if self.descending else self.column > here


def after(
    connection: Connection,
    order: Sequence[Key],
    marker: str | None,
    what: str,
    *among: ColumnElement[bool],
    by: ColumnElement[Any] | None = None,
) -> ColumnElement[bool] | None:
    """What stands after the marker, a value of `by` (the last key): equal to it in the first keys,
    and beyond it in the next. None without one.

    Raises `InvalidValue` where no row `among` these has it; `what` is the word for one.
    """
    if marker is None:
        return None
    columns = [key.column.label(f"key_{at}") for at, key in enumerate(order)]
    named = order[-1].column if by is None else by
    marked = select(*columns).where(named == storable_text(marker), *among).limit(1)
    place = connection.execute(marked).first()
    if place is None:
        raise InvalidValue(f"marker: {what} {marker} not found", "marker")
    alternatives = []
    same: list[ColumnElement[bool]] = []
    for key, value in zip(order, place, strict=True):
        here = literal(value, key.column.type)
        alternatives.append(and_(*same, key.beyond(here)))
        same.append(key.column == here)
    return or_(*alternatives)
