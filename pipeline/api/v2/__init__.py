"""Aodh's API, /v2, for the clients of Aodh as they are (alarms 17 to 24).

    alarms.py        alarms and their states
    history.py       what became of an alarm
    query.py         complex queries
    quotas.py        how many alarms a project may have
    metrics.py       alarms by state
    root.py          GET /, /healthcheck and /v2/capabilities
    arguments.py     what a request asks: its arguments and its body
    simple_query.py  q.field, q.op, q.value, q.type → criteria
    faults.py        errors → {"error_message": {…}}

Routes, bodies, statuses and texts are those of Aodh 23; docs/aodh-clients.md tells what is better.
All is carried out by the desk, as for our own API: what stands here is how Aodh says it.
"""

from __future__ import annotations

from flask import Flask

from pipeline.api.v2 import alarms, history, metrics, query, quotas, root

PREFIX = "/v2"


def register(app: Flask) -> None:
    """Add all operations of /v2."""
    for part in (alarms, history, query, quotas, metrics, root):
        app.register_blueprint(part.blueprint())


def is_asked(path: str) -> bool:
    """Whether the path is one of Aodh's API, which tells errors in its own form."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")
