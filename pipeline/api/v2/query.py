"""/v2/query/…: complex queries for alarms and for history (alarms 21).

The language is `pipeline.alarms.complex_query`. Who is held to projects may name no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Blueprint, Response, jsonify

from pipeline.alarms import complex_query
from pipeline.alarms.criteria import (
    ALARM_FIELDS,
    HISTORY_FIELDS,
    AllOf,
    AnyOf,
    Comparison,
    Criterion,
    Fields,
    Negation,
)
from pipeline.api.v2.alarms import alarm_document
from pipeline.api.v2.arguments import MOST, allow, caller, desk, sent_object, wrong
from pipeline.errors import InvalidValue, OutOfReach

_KEYS = ("filter", "orderby", "limit")


class _Query(NamedTuple):
    criterion: Criterion | None
    order: complex_query.Order
    limit: int | None


def blueprint() -> Blueprint:
    """The operations on complex queries."""
    found = Blueprint("aodh-query", __name__)
    found.post("/v2/query/alarms")(query_alarms)
    found.post("/v2/query/alarms/history")(query_history)
    return found


def query_alarms() -> Response:
    """The alarms that a complex query chooses."""
    asked = _asked(ALARM_FIELDS, "project_id")
    page = desk().alarms.search(query=asked.criterion, sort=asked.order, limit=asked.limit)
    return jsonify([alarm_document(alarm) for alarm in page.items])


def query_history() -> Response:
    """The lines of history that a complex query chooses."""
    asked = _asked(HISTORY_FIELDS, "on_behalf_of")
    page = desk().alarms.search_history(asked.criterion, asked.order, asked.limit)
    return jsonify(list(page.items))


def _asked(fields: Fields, whose: str) -> _Query:
    """What was sent; `whose` is the field that says to which project something belongs."""
    allow()
    body = sent_object("body")
    for name in body:
        if name not in _KEYS:
            raise InvalidValue(f"Unknown attribute for argument body: {name}", name)
    wanted, order = _text(body, "filter"), _text(body, "orderby")
    criterion = None if wanted is None else complex_query.criterion(wanted, fields)
    if criterion is not None:
        _check_projects(criterion, whose)
    steps = [] if order is None else complex_query.order(order, fields)
    return _Query(criterion, steps, _limit(body))


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        kind = type(value)
        wrong(name, value, f"Wrong type. Expected '<class 'str'>', got '{kind}'")
    return value


def _limit(body: Mapping[str, Any]) -> int | None:
    value = body.get("limit")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        wrong("limit", value, "unable to convert to int.")
    try:
        number = int(value)
    except ValueError:
        wrong("limit", value, "unable to convert to int.")
    if number <= 0:
        raise InvalidValue("Limit should be positive", "limit")
    return min(number, MOST)


def _check_projects(criterion: Criterion, whose: str) -> None:
    """Raise `OutOfReach` where a project is named that the caller does not see."""
    match criterion:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                _check_projects(part, whose)
        case Negation(part):
            _check_projects(part, whose)
        case Comparison(field=field, value=value) if field == whose:
            for project in value if isinstance(value, tuple) else (value,):
                if not caller().sees_project(project):
                    raise OutOfReach(f"project {project!r} is not yours.", "project", project)
