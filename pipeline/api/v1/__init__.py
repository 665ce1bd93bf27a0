"""Our own API, /v1: the desk over HTTP, one module for each matter.

    blueprint.py   how an operation is declared: its route, who may, what it takes and gives
    schemas.py     what documents look like, for the OpenAPI description
    description.py  examples.py  target_schemas.py   what the description says besides
    references.py  what a question is about: an id, or an event that is sent along
    alarms.py  trials.py  entries.py  targets.py  routes.py  notifications.py  as_code.py
    deliveries.py  intake.py  events.py  status.py  (kept_schemas.py: their documents)
    tokens.py  history.py  (access_schemas.py: their documents)
    quotas.py

Each operation asks the desk of the request's caller for one thing. What a document may hold is
decided there; here it is only described.
"""

from __future__ import annotations

import inspect

from flask import Flask, Response, jsonify
from flask_smorest import Api

from pipeline import __version__
from pipeline.api.docs import page
from pipeline.api.v1 import (
    access_schemas,
    alarms,
    as_code,
    deliveries,
    entries,
    events,
    history,
    intake,
    notifications,
    quotas,
    routes,
    status,
    targets,
    tokens,
    trials,
)
from pipeline.api.v1.blueprint import AnyText, Blueprint
from pipeline.api.v1.description import described, statuses
from pipeline.api.v1.schemas import COMPONENTS
from pipeline.api.v1.trial_schemas import COMPONENTS as OF_TRIALS

BLUEPRINTS: tuple[Blueprint, ...] = (
    alarms.blueprint(),
    trials.blueprint(),
    *entries.blueprints(),
    routes.blueprint(),
    *notifications.blueprints(),
    *deliveries.blueprints(),
    *intake.blueprints(),
    events.blueprint(),
    as_code.blueprint(),
    status.blueprint(),
    *quotas.blueprints(),
    tokens.blueprint(),
    history.blueprint(),
)


def register(app: Flask) -> None:
    """Add all operations of /v1, their description at /openapi.json, and as a page at /docs."""
    app.config.update(API_TITLE="Tocsin", API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    app.url_map.converters["text"] = AnyText
    app.url_map.merge_slashes = False
    api = _Api(app)
    matters = (entries, targets, routes, notifications, as_code, access_schemas)
    for components in (COMPONENTS, OF_TRIALS, *(each.COMPONENTS for each in matters)):
        for name, schema in components.items():  # a name that is taken is refused
            api.spec.components.schema(name, schema=schema)
    # Those of targets are made of all types: only their names are needed until then.
    api.spec.components.schema("TargetIn", {})
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    document = described(api.spec.to_dict(), api.words())
    shown = page(document, statuses())

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document)

    @app.get("/docs")
    def docs() -> Response:
        return Response(shown, content_type="text/html; charset=utf-8")


class _Api(Api):  # type: ignore[misc]
    """Leaves errors to the application, which answers all of them in one way."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        pass

    def words(self) -> dict[str, str]:
        """What the schemas describe, by their names: the first line of each class's docstring."""
        return {
            name: text.partition("\n\n")[0].replace("\n", " ")
            for key, name in self.ma_plugin.converter.refs.items()
            if (text := inspect.getdoc(key[0])) and key[0].__doc__
        }
