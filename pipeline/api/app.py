"""The WSGI application: each request gets an id, a caller and a desk; each answer its form.

Knows no store: all answers come from the desk of the request's caller. An error that was raised on
purpose is answered in the form of the API that was asked; a bug is logged, and answered with 500
and the request's id, by which the log is searched.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from flask import Flask, Response, g, jsonify, request
from werkzeug.middleware.proxy_fix import ProxyFix

from pipeline.access import Caller
from pipeline.access.settings import ApiSettings
from pipeline.api import cors, v1, v2
from pipeline.api.bodies import bounded
from pipeline.api.problems import CONTENT_TYPE, Problem, problem_of
from pipeline.api.rates import Rates
from pipeline.api.v2 import faults
from pipeline.desk import LocalDesk, Parts
from pipeline.errors import StoreUnavailable, Unauthenticated
from pipeline.observer import Observer

Identify: TypeAlias = Callable[[Mapping[str, str]], Caller]
"""Who sends these headers. Raises `Unauthenticated`."""

REQUEST_ID = "x-openstack-request-id"
HEALTH = frozenset({"/healthcheck", "/healthz", "/readyz"})
"""Is asked by machines, often, and says nothing of what is kept."""

PUBLIC = HEALTH | {"/", "/openapi.json", "/docs"}
"""What is answered whoever asks."""

_GIVEN_ID = re.compile(r"req-[0-9A-Za-z-]{1,64}")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def make_app(
    parts: Parts,
    identify: Identify,
    settings: ApiSettings,
    log: Any,
    observer: Observer | None = None,
) -> Flask:
    """The application. `identify` says who asks."""
    app = Flask("tocsin.api")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    _wrap(app, settings)
    _add_requests(app, parts, identify, settings)
    _add_answers(app, settings, log, observer or Observer())
    _add_errors(app, log)
    v1.register(app)
    v2.register(app)

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @app.get("/readyz")
    def readyz() -> Response:
        try:
            parts.store.ping()
        except StoreUnavailable as error:
            log.warning("api.not_ready", error=str(error))
            raise StoreUnavailable("the database does not answer; the log says more.") from error
        return jsonify(status="ok")

    return app


def _wrap(app: Flask, settings: ApiSettings) -> None:
    """Put around it what WSGI is to be told otherwise."""
    wrapped: Any = bounded(app.wsgi_app, settings.max_body_bytes)
    if count := settings.proxies:
        wrapped = ProxyFix(wrapped, x_for=count, x_proto=count)
    app.wsgi_app = wrapped  # type: ignore[method-assign]


def _add_requests(app: Flask, parts: Parts, identify: Identify, settings: ApiSettings) -> None:
    rates = Rates(settings)

    @app.before_request
    def begin() -> Response | None:
        g.began = time.monotonic()
        given = request.headers.get(REQUEST_ID, "")
        g.request_id = given if _GIVEN_ID.fullmatch(given) else f"req-{uuid.uuid4()}"
        if request.path in HEALTH:
            return None
        address = request.remote_addr or ""
        if cors.is_preflight(request, settings.cors_origins):
            rates.count(None, address)
            return cors.preflight()
        if request.path in PUBLIC:
            rates.count(None, address)
            return None
        caller = _identified(identify, rates, address)
        g.desk = LocalDesk(parts, caller)
        rates.count(caller, address)
        return None


def _identified(identify: Identify, rates: Rates, address: str) -> Caller:
    rates.check_address(address)
    try:
        return identify({name.lower(): value for name, value in request.headers.items()})
    except Unauthenticated:
        rates.failed(address)
        raise


def _add_answers(app: Flask, settings: ApiSettings, log: Any, observer: Observer) -> None:
    @app.after_request
    def finish(response: Response) -> Response:
        response.headers[REQUEST_ID] = g.request_id
        for name, value in _SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        cors.allow(request, response, settings.cors_origins)
        seconds = time.monotonic() - g.began
        rule = str(request.url_rule or "")
        observer.answered(request.method, rule, response.status_code, seconds)
        desk = g.get("desk")
        # The path, never the query: people put into that what they should not.
        log.info(
            "api.request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            bytes=response.calculate_content_length(),
            milliseconds=round(seconds * 1000, 1),
            user=desk.caller.user_id if desk else "",
            remote=request.remote_addr,
            request_id=g.request_id,
        )
        return response


def _add_errors(app: Flask, log: Any) -> None:
    @app.errorhandler(Exception)
    def answer(error: Exception) -> Response:
        problem = problem_of(error)
        if problem is None:
            log.error("api.failed", path=request.path, request_id=g.request_id, exc_info=error)
            problem = _bug(g.request_id)
        return faults.answer(error, problem) if v2.is_asked(request.path) else _answer(problem)


def _bug(request_id: str) -> Problem:
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"Tocsin failed on this request; its log says why, beside {request_id}.",
    )


def _answer(problem: Problem) -> Response:
    response = jsonify(problem.document(g.request_id))
    response.status_code = int(problem.status)
    response.content_type = CONTENT_TYPE
    response.headers.update(problem.headers)
    return response
