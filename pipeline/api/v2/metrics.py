"""/v2/metrics: in which state each alarm is, as Aodh counts evaluations (alarms 17).

Aodh counts how often an alarm came out as what, where it is told to. Here each alarm counts once,
for the state in which it is: summed up, they are the alarms by state.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from pipeline.alarms.alarm import State
from pipeline.api.v2.alarms import own_project
from pipeline.api.v2.arguments import allow, argument, caller, desk
from pipeline.errors import Forbidden

_STATES = (State.INSUFFICIENT_DATA, State.OK, State.ALARM)


def blueprint() -> Blueprint:
    """The operation on metrics."""
    found = Blueprint("aodh-metrics", __name__)
    found.get("/v2/metrics")(show_metrics)
    return found


def show_metrics() -> Response:
    """The state of each alarm of the caller's project, or of every project."""
    allow("all_projects")
    everywhere = (argument("all_projects") or "").lower() in ("1", "t", "true", "on", "y", "yes")
    if everywhere and not caller().sees_all:
        raise Forbidden("metrics of all projects are for who is held to none.")
    results = [
        {
            "alarm_id": alarm_id,
            "project_id": project_id,
            "state_counters": {str(each): int(each is state) for each in _STATES},
        }
        for alarm_id, project_id, state in desk().alarms.states(
            None if everywhere else own_project()
        )
    ]
    return jsonify(evaluation_results=results)
