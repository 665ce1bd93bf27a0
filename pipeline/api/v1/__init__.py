"""Our own API, /v1: the desk over HTTP, one module for each matter.

    blueprint.py   how an operation is declared: its route, who may, what it takes and gives
    schemas.py     what documents look like, for the OpenAPI description
    references.py  what a question is about: an id, or an event that is sent along
    alarms.py  entries.py  targets.py  routes.py  notifications.py  as_code.py

Each operation asks the desk of the request's caller for one thing. What a document may hold is
decided there; here it is only described.
"""

from __future__ import annotations

from collections import ChainMap

from flask import Flask
from flask_smorest import Api

from pipeline import __version__
from pipeline.api.v1 import alarms, as_code, entries, notifications, routes, targets
from pipeline.api.v1.blueprint import Blueprint
from pipeline.api.v1.schemas import COMPONENTS

BLUEPRINTS: tuple[Blueprint, ...] = (
    alarms.blueprint(),
    *entries.blueprints(),
    routes.blueprint(),
    *notifications.blueprints(),
    as_code.blueprint(),
)


def register(app: Flask) -> Api:
    """Add all operations of /v1, and their description at /openapi.json."""
    app.config.update(
        API_TITLE="Tocsin",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = _Api(app)
    of_matters = (each.COMPONENTS for each in (targets, routes, notifications, as_code))
    for name, schema in ChainMap(dict(COMPONENTS), *of_matters).items():
        api.spec.components.schema(name, schema=schema)
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    return api


class _Api(Api):  # type: ignore[misc]
    """Leaves errors to the application, which answers all of them in one way."""

    def _register_error_handlers(self) -> None:
        pass
