"""/v2/quotas: how many alarms a project may have (alarms 23)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from pipeline.api.quota_documents import loaded_quotas
from pipeline.api.v2.arguments import allow, argument, desk, sent_object
from pipeline.errors import InvalidValue


def blueprint() -> Blueprint:
    """The operations on quotas."""
    found = Blueprint("aodh-quotas", __name__)
    found.get("/v2/quotas")(show_quotas)
    found.post("/v2/quotas")(set_quotas)
    found.delete("/v2/quotas")(delete_nothing)
    found.delete("/v2/quotas/<project_id>")(delete_quotas)
    return found


def show_quotas() -> Response:
    """A project's quotas; the caller's own project's where none is named."""
    # Aodh takes other arguments here, and makes nothing of them.
    return jsonify(desk().quotas.found(argument("project_id") or None))


def set_quotas() -> tuple[Response, int]:
    """Set a project's quotas."""
    allow()
    project_id, quotas = loaded_quotas(sent_object("body"))
    return jsonify(desk().quotas.update(project_id, quotas)), 201


def delete_nothing() -> Response:
    """It must be said whose."""
    raise InvalidValue('Missing argument: "project_id"', "project_id")


def delete_quotas(project_id: str) -> tuple[str, int]:
    """Let the defaults hold again."""
    allow()
    desk().quotas.delete(project_id)
    return "", 204
