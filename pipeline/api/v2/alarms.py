"""/v2/alarms: alarms and their states, as Aodh has them (alarms 17 to 20).

Without another word a list is of the caller's own project; who belongs to none is shown all that
they may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request

from pipeline.alarms.criteria import ALARM_FIELDS, Comparison, Criterion, all_of, among
from pipeline.api.v2 import arguments
from pipeline.api.v2.arguments import PAGING, QUERY, allow, caller, desk, sent, sent_object
from pipeline.api.v2.simple_query import Asked, simple_query
from pipeline.desk import Document
from pipeline.errors import Forbidden, InvalidValue, NotFound, OutOfReach

_ALL = "all_projects"
_PROJECT = "project_id"
_FIELDS = (
    *(_ALL, "user_id", _PROJECT, "type", "name", "enabled", "state", "severity", "timestamp"),
    "repeat_actions",
)
_ORDER = (
    *("alarm_id", "name", "description", "enabled", "ok_actions", "alarm_actions"),
    *("insufficient_data_actions", "repeat_actions", "type", "time_constraints", "project_id"),
    *("user_id", "timestamp", "state", "state_timestamp", "state_reason", "severity"),
    "evaluate_timestamp",
)
SORT_KEYS = (
    *("alarm_id", "enabled", "name", "type", "severity", "timestamp", "user_id", "project_id"),
    *("state", "repeat_actions", "state_timestamp"),
)


def blueprint() -> Blueprint:
    """The operations on alarms."""
    found = Blueprint("aodh-alarms", __name__)
    found.get("/v2/alarms")(list_alarms)
    found.post("/v2/alarms")(create_alarm)
    found.get("/v2/alarms/<alarm_id>")(show_alarm)
    found.put("/v2/alarms/<alarm_id>")(replace_alarm)
    found.delete("/v2/alarms/<alarm_id>")(delete_alarm)
    found.get("/v2/alarms/<alarm_id>/state")(show_state)
    found.put("/v2/alarms/<alarm_id>/state")(set_state)
    return found


def list_alarms() -> Response:
    """Those that the simple query chooses."""
    allow(*QUERY, *PAGING)
    page = desk().alarms.search(
        query=chosen(simple_query()),
        sort=arguments.sort(SORT_KEYS),
        limit=arguments.limit(),
        marker=arguments.argument("marker"),
    )
    return jsonify([alarm_document(alarm) for alarm in page.items])


def create_alarm() -> tuple[Response, int, dict[str, str]]:
    """Make one. Aodh has no type and no rule by default."""
    allow()
    made = desk().alarms.create(sent_object("data"), whole=True)
    location = f"{request.host_url}v2/alarms/{made['alarm_id']}"
    return jsonify(alarm_document(made)), 201, {"Location": location}


def show_alarm(alarm_id: str) -> Response:
    """The one with this id."""
    allow()
    return jsonify(alarm_document(by_id(alarm_id)))


def replace_alarm(alarm_id: str) -> Response:
    """Put what is sent in its place."""
    allow()
    given = sent_object("data")
    by_id(alarm_id)
    return jsonify(alarm_document(desk().alarms.replace(alarm_id, given)))


def delete_alarm(alarm_id: str) -> tuple[str, int]:
    """Delete it."""
    allow()
    by_id(alarm_id)
    desk().alarms.delete(alarm_id)
    return "", 204


def show_state(alarm_id: str) -> Response:
    """Its state, a JSON string."""
    allow()
    return jsonify(by_id(alarm_id)["state"])


def set_state(alarm_id: str) -> Response:
    """Set its state, a JSON string."""
    allow()
    state = sent("state")
    by_id(alarm_id)
    if not isinstance(state, str):
        raise InvalidValue("state invalid", "state")
    try:
        changed = desk().alarms.set_state(alarm_id, state)
    except InvalidValue as error:
        raise InvalidValue("state invalid", "state") from error
    return jsonify(changed["state"])


def alarm_document(alarm: Document) -> dict[str, Any]:
    """An alarm with Aodh's fields, in its order, in which clients show them; that it sees all
    projects is told where it does."""
    found = {name: alarm[name] for name in _ORDER}
    rule = f"{alarm['type']}_rule"
    more = {_ALL: True} if alarm[_ALL] else {}
    return {**found, rule: alarm[rule], **more}


def by_id(alarm_id: str) -> Document:
    """The alarm with this id; a name is no id. Raises `NotFound`."""
    found = desk().alarms.search(query=Comparison("alarm_id", "=", alarm_id)).items
    if not found:
        raise NotFound(f"Alarm {alarm_id} not found")
    return found[0]


def own_project() -> Criterion | None:
    """What holds the caller to their own project; None for who has none."""
    project = caller().project_id
    return among(_PROJECT, [project]) if project else None


def chosen(asked: Sequence[Asked]) -> Criterion | None:
    """What a simple query asks for."""
    fields = {each.field for each in asked}
    if not fields <= set(_FIELDS):
        arguments.wrong("field", fields, f"only fields {set(_FIELDS)} are allowed")
    if others := {each.op for each in asked} - {"eq"}:
        arguments.wrong("op", others, "only operations {'eq'} are allowed")
    everywhere = any(each.field == _ALL and each.is_true() for each in asked)
    if everywhere and not caller().sees_all:
        raise Forbidden("alarms of all projects are for who is held to none.")
    for each in asked:
        if each.field == _PROJECT and not caller().sees_project(each.value):
            raise OutOfReach(f"project {each.value!r} is not yours.", "project", each.value)
    wanted = [each.comparison(ALARM_FIELDS) for each in asked if each.field != _ALL]
    held = None if everywhere or _PROJECT in fields else own_project()
    return all_of([held, *wanted])
