"""Searching alarms and their history: criteria, sort keys and paging by marker (alarms 20 to 22).

The order is total, since a last key settles ties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, case, select, true

from pipeline.alarms.alarm import Alarm, State
from pipeline.alarms.criteria import ALARM_FIELDS, HISTORY_FIELDS, Criterion
from pipeline.errors import InvalidValue
from pipeline.store import schema
from pipeline.store.documents import storable_text
from pipeline.store.managing import HistoryEntry
from pipeline.store.rows import alarm_from
from pipeline.store.sql.criteria import RANKS, Chosen, Columns, chosen
from pipeline.store.sql.paging import Key, after
from pipeline.store.sql.part import Part

_alarm, _history = schema.alarm.c, schema.alarm_history.c
_Found = TypeVar("_Found")
_Order = Sequence[tuple[str, str]]

_FILTERS: Mapping[str, type] = {
    "alarm_id": str,
    "name": str,
    "description": str,
    "type": str,
    "enabled": bool,
    "state": str,
    "severity": str,
    "event_type": str,
    "repeat_actions": bool,
    "project_id": str,
    "user_id": str,
    "all_projects": bool,
    "timestamp": datetime,
    "state_timestamp": datetime,
}
_DIRECTIONS = ("asc", "desc")
_NEWEST_FIRST = (("timestamp", "desc"),)


@dataclass(frozen=True, slots=True)
class _Searched(Generic[_Found]):
    """A table that is searched: its fields, what a marker names, what settles ties
    (`tie_follows`: in the direction of the last key, as both are of time), what is read."""

    what: str
    fields: Columns
    key: Column[Any]
    tie: Column[Any]
    tie_follows: bool
    read: Sequence[Column[Any]]
    found: Callable[[Sequence[Any]], _Found]

    def sort_key(self, name: str) -> ColumnElement[Any]:
        """What to sort by; severities by their rank."""
        column = self.fields[name]
        return case(RANKS, value=column) if name == "severity" else column


_ALARMS = _Searched(
    "Alarm",
    {name: _alarm[name] for name in ALARM_FIELDS},
    key=_alarm.alarm_id,
    tie=_alarm.alarm_id,
    tie_follows=False,
    read=tuple(_alarm),
    found=alarm_from,
)
_HISTORY = _Searched(
    "Event",
    {name: _history[name] for name in HISTORY_FIELDS},
    key=_history.event_id,
    tie=_history.sequence,
    tie_follows=True,
    read=tuple(_history[name] for name in HistoryEntry.__slots__),
    found=lambda row: HistoryEntry(*row),
)


class SqlAlarmSearch(Part):
    """`store.managing.AlarmSearch`."""

    def search(
        self,
        filters: Mapping[str, Any] | None = None,
        sort: _Order = _NEWEST_FIRST,
        limit: int | None = None,
        marker: str | None = None,
        criterion: Criterion | None = None,
    ) -> list[Alarm]:
        """Alarms that equal every filter (an Alarm field each) and meet the criterion; after
        `marker` in sort order.

        Raises `InvalidValue` for an unknown filter, sort key, direction or marker.
        """
        wanted = and_(true(), *(_equals(name, value) for name, value in (filters or {}).items()))
        return self._searched(_ALARMS, wanted, criterion, sort, limit, marker)

    def search_history(
        self,
        criterion: Criterion | None = None,
        sort: _Order = _NEWEST_FIRST,
        limit: int | None = None,
        marker: str | None = None,
    ) -> list[HistoryEntry]:
        """Lines of history that meet the criterion; after the event id `marker` in sort order.

        Those of one moment in the order of their writing, or backwards. Raises `InvalidValue`
        for an unknown sort key, direction or marker.
        """
        return self._searched(_HISTORY, true(), criterion, sort, limit, marker)

    def states_of(self, criterion: Criterion | None = None) -> list[tuple[str, str, State]]:
        """Of each alarm that meets the criterion (without regular expressions), in the order of
        their ids: the id, the project and the state."""
        columns = (_alarm.alarm_id, _alarm.project_id, _alarm.state)
        where = chosen(criterion, _ALARMS.fields).where
        statement = select(*columns).where(where).order_by(_alarm.alarm_id)
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        return [(row.alarm_id, row.project_id, State(row.state)) for row in rows]

    def _searched(
        self,
        searched: _Searched[_Found],
        wanted: ColumnElement[bool],
        criterion: Criterion | None,
        sort: _Order,
        limit: int | None,
        marker: str | None,
    ) -> list[_Found]:
        order = _total_order(sort, searched)
        if limit is not None and limit < 1:
            raise InvalidValue(f"limit must be at least 1, not {limit}", "limit")
        rows = chosen(criterion, searched.fields)
        statement = _statement(searched, rows, order).where(wanted)
        with self._database.stream() as connection:
            if (
                beyond := after(connection, order, marker, searched.what, by=searched.key)
            ) is not None:
                statement = statement.where(beyond)
            if rows.test is None:
                statement = statement.limit(limit)
            return list(islice(_found(connection, statement, searched, rows), limit))


def _statement(searched: _Searched[Any], rows: Chosen, order: Sequence[Key]) -> Select[Any]:
    decided = (each.label(f"decided_{at}") for at, each in enumerate(rows.decided))
    ordered = (key.ordered for key in order)
    return select(*searched.read, *decided).where(rows.where).order_by(*ordered)


def _found(
    connection: Connection,
    statement: Select[Any],
    searched: _Searched[_Found],
    rows: Chosen,
) -> Iterator[_Found]:
    """What is read of the rows that are chosen, while they come."""
    width, test = len(searched.read), rows.test
    for row in connection.execute(statement):
        if test is None:
            yield searched.found(row)
        elif test(row[width:]):
            yield searched.found(row[:width])


def _equals(name: str, value: Any) -> ColumnElement[bool]:
    kind = _FILTERS.get(name)
    if kind is None:
        raise InvalidValue(f"unknown filter '{name}'. Use one of {', '.join(_FILTERS)}", name)
    if not isinstance(value, kind) or (isinstance(value, datetime) and value.tzinfo is None):
        expected = {str: "text", bool: "true or false", datetime: "a time with its zone"}[kind]
        raise InvalidValue(f"{name} must be {expected}, not {value!r}", name)
    column: ColumnElement[Any] = _alarm[name]
    return column == (storable_text(value) if isinstance(value, str) else value)


def _total_order(sort: _Order, searched: _Searched[Any]) -> list[Key]:
    """The sort keys, and then that after which there are no ties left."""
    order: list[Key] = []
    for key, direction in sort:
        if key not in searched.fields:
            known = ", ".join(searched.fields)
            raise InvalidValue(f"unknown sort key '{key}'. Use one of {known}", "sort")
        if direction not in _DIRECTIONS:
            raise InvalidValue(f"unknown sort direction '{direction}'. Use asc or desc", "sort")
        order.append(Key(searched.sort_key(key), direction == "desc"))
    follows = searched.tie_follows and bool(sort) and sort[-1][1] == "desc"
    return [*order, Key(searched.tie, follows)]
