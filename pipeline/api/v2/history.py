"""/v2/alarms/…/history: what became of an alarm (alarms 22).

That of a deleted alarm stays. Of others than admins what is seen is what was done on behalf of
their project, as the desk has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, jsonify

from pipeline.alarms.criteria import HISTORY_FIELDS, Criterion, all_of
from pipeline.api.v2 import arguments
from pipeline.api.v2.arguments import PAGING, QUERY, allow, caller, desk, wrong
from pipeline.api.v2.simple_query import Asked, simple_query
from pipeline.errors import InvalidValue, OutOfReach

_FIELDS = ("type", "user", "user_id", "project", "project_id", "severity", "timestamp")
_ORDERED = ("lt", "le", "gt", "ge")
SORT_KEYS = (
    *("event_id", "alarm_id", "on_behalf_of", "project_id", "user_id", "type", "timestamp"),
    "severity",
)


def blueprint() -> Blueprint:
    """The operation on one alarm's history."""
    found = Blueprint("aodh-history", __name__)
    found.get("/v2/alarms/<alarm_id>/history")(show_history)
    return found


def show_history(alarm_id: str) -> Response:
    """What became of the alarm, the newest first."""
    allow(*QUERY, *PAGING)
    page = desk().alarms.history(
        alarm_id,
        arguments.limit(),
        arguments.argument("marker"),
        arguments.sort(SORT_KEYS),
        _chosen(simple_query()),
    )
    return jsonify(list(page.items))


def _chosen(asked: Sequence[Asked]) -> Criterion | None:
    for each in asked:
        _check(each)
    return all_of([each.comparison(HISTORY_FIELDS) for each in asked])


def _check(asked: Asked) -> None:
    """Raise for what Aodh does not take here."""
    if asked.field not in _FIELDS:
        known = f"unrecognized field in query, valid keys: {sorted(_FIELDS)}"
        raise InvalidValue(f'Unknown argument: "{asked.field}": {known}', "q.field")
    if asked.op not in (_ORDERED if asked.field == "timestamp" else ("eq",)):
        wrong("op", asked.op, f"unimplemented operator for {asked.field}")
    if asked.field in ("project", "project_id") and not caller().sees_project(asked.value):
        raise OutOfReach(f"project {asked.value!r} is not yours.", "project", asked.value)
    if asked.field == "timestamp" and not asked.is_moment():
        wrong("timestamp", asked.value, "invalid timestamp format")
