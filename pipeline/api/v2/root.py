"""GET /, by which clients find the versions; /healthcheck; /v2/capabilities (alarms 17)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from pipeline.api.v2.arguments import allow, desk

_MEDIA = "application/vnd.openstack.telemetry-v2+json"


def blueprint() -> Blueprint:
    """What is asked before anything else."""
    found = Blueprint("aodh-root", __name__)
    found.get("/")(show_versions)
    found.get("/healthcheck")(show_health)
    found.get("/v2/capabilities")(show_capabilities)
    return found


def show_versions() -> Response:
    """Aodh's version document, in which our own API stands beside Aodh's."""
    ours = _version("v1", f"{request.host_url}docs", "application/json", "2026-01-01T00:00:00Z")
    aodhs = _version("v2", "https://docs.openstack.org/", _MEDIA, "2013-02-13T00:00:00Z")
    return jsonify(versions={"values": [aodhs, ours]})


def show_health() -> Response:
    """That it answers."""
    return Response("", mimetype="text/plain")


def show_capabilities() -> Response:
    """What can be asked."""
    allow()
    return jsonify(desk().capabilities())


def _version(name: str, described: str, media_type: str, updated: str) -> dict[str, Any]:
    return {
        "id": name,
        "links": [
            {"href": f"{request.host_url}{name}", "rel": "self"},
            {"href": described, "rel": "describedby", "type": "text/html"},
        ],
        "media-types": [{"base": "application/json", "type": media_type}],
        "status": "stable",
        "updated": updated,
    }
