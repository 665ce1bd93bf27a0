"""Searching alarms: filters, sort keys and paging by marker (alarms 20).

The order is total, since the alarm id settles ties; a page starts after its marker's place in
that order, so no alarm is shown twice or passed over, whatever is created in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, literal, or_, select

from pipeline.alarms.alarm import Alarm, Severity
from pipeline.errors import InvalidValue
from pipeline.store import schema
from pipeline.store.rows import alarm_from
from pipeline.store.sql.part import Part

_alarm = schema.alarm.c

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
_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}
_SORT_KEYS: Mapping[str, ColumnElement[Any]] = {
    "alarm_id": _alarm.alarm_id,
    "enabled": _alarm.enabled,
    "name": _alarm.name,
    "type": _alarm.type,
    "severity": case(_RANKS, value=_alarm.severity),
    "timestamp": _alarm.timestamp,
    "user_id": _alarm.user_id,
    "project_id": _alarm.project_id,
    "state": _alarm.state,
    "repeat_actions": _alarm.repeat_actions,
    "state_timestamp": _alarm.state_timestamp,
}
_DIRECTIONS = ("asc", "desc")
_Order = list[tuple[str, str]]


class SqlAlarmSearch(Part):
    """`store.base.Alarms.search`."""

    def search(
        self,
        filters: Mapping[str, Any] | None = None,
        sort: Sequence[tuple[str, str]] = (("timestamp", "desc"),),
        limit: int | None = None,
        marker: str | None = None,
    ) -> list[Alarm]:
        """Alarms that equal every filter (an Alarm field each); after `marker` in sort order.

        Raises `InvalidValue` for an unknown filter, sort key, direction or marker.
        """
        wanted = [_equals(name, value) for name, value in (filters or {}).items()]
        order = _total_order(sort)
        if limit is not None and limit < 1:
            raise InvalidValue(f"limit must be at least 1, not {limit}", "limit")
        statement = select(schema.alarm).where(*wanted).order_by(*map(_ordered, order))
        with self._database.read() as connection:
            if marker is not None:
                statement = statement.where(_after(connection, marker, order))
            return [alarm_from(row) for row in connection.execute(statement.limit(limit))]


def _equals(name: str, value: Any) -> ColumnElement[bool]:
    kind = _FILTERS.get(name)
    if kind is None:
        raise InvalidValue(f"unknown filter '{name}'. Use one of {', '.join(_FILTERS)}", name)
    if not isinstance(value, kind) or (isinstance(value, datetime) and value.tzinfo is None):
        expected = {str: "text", bool: "true or false", datetime: "a time with its zone"}[kind]
        raise InvalidValue(f"{name} must be {expected}, not {value!r}", name)
    column: ColumnElement[Any] = _alarm[name]
    return column == value


def _total_order(sort: Sequence[tuple[str, str]]) -> _Order:
    """The sort keys up to the alarm id, after which there are no ties left."""
    order: _Order = []
    for key, direction in sort:
        if key not in _SORT_KEYS:
            known = ", ".join(_SORT_KEYS)
            raise InvalidValue(f"unknown sort key '{key}'. Use one of {known}", "sort")
        if direction not in _DIRECTIONS:
            raise InvalidValue(f"unknown sort direction '{direction}'. Use asc or desc", "sort")
        order.append((key, direction))
    return [*order, ("alarm_id", "asc")]


def _ordered(step: tuple[str, str]) -> ColumnElement[Any]:
    key, direction = step
    column = _SORT_KEYS[key]
    return column.desc() if direction == "desc" else column.asc()


def _after(connection: Connection, marker: str, order: _Order) -> ColumnElement[bool]:
    """What stands after the marker: equal to it in the first keys, and beyond it in the next."""
    columns = [_SORT_KEYS[key].label(f"key_{at}") for at, (key, _) in enumerate(order)]
    place = connection.execute(select(*columns).where(_alarm.alarm_id == marker)).first()
    if place is None:
        raise InvalidValue(f"marker: Alarm {marker} not found", "marker")
    alternatives = []
    same: list[ColumnElement[bool]] = []
    for (key, direction), value in zip(order, place, strict=True):
        column = _SORT_KEYS[key]
        here = literal(value, column.type)
        beyond = column < here if direction == "desc" else column > here
        alternatives.append(and_(*same, beyond))
        same.append(column == here)
    return or_(*alternatives)
