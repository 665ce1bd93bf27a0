"""Searching alarms: filters, sort keys and paging by marker (alarms 20).

The order is total, since the alarm id settles ties.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, select

from pipeline.alarms.alarm import Alarm, Severity
from pipeline.errors import InvalidValue
from pipeline.store import schema
from pipeline.store.rows import alarm_from
from pipeline.store.sql.paging import Key, after
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
        statement = select(schema.alarm).where(*wanted).order_by(*(key.ordered for key in order))
        with self._database.read() as connection:
            if (beyond := after(connection, order, marker, "Alarm")) is not None:
                statement = statement.where(beyond)
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


def _total_order(sort: Sequence[tuple[str, str]]) -> list[Key]:
    """The sort keys up to the alarm id, after which there are no ties left."""
    order: list[Key] = []
    for key, direction in sort:
        if key not in _SORT_KEYS:
            known = ", ".join(_SORT_KEYS)
            raise InvalidValue(f"unknown sort key '{key}'. Use one of {known}", "sort")
        if direction not in _DIRECTIONS:
            raise InvalidValue(f"unknown sort direction '{direction}'. Use asc or desc", "sort")
        order.append(Key(_SORT_KEYS[key], direction == "desc"))
    return [*order, Key(_alarm.alarm_id)]
