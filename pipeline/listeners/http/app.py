"""The WSGI application of the HTTP listener: POST /v1/events, GET /healthz.

Answers in JSON whatever happens: `{"accepted": n}` when the events are committed, else
`{"error": text}`, with `index` where one item of an array is at fault. It knows no worker and no
store: it is handed functions. Called by `pipeline.listeners.http`, through waitress.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from pipeline.listeners.base import Message
from pipeline.listeners.http import posted

Understand = Callable[[Message], str | None]
"""Why a message would be rejected, or None when it is understood."""

RETRY_AFTER_SECONDS = 5
_EVENTS, _HEALTH = "/v1/events", "/healthz"


class Unavailable(Exception):
    """The events cannot be taken now; its text says why and what to do. Answered with 503."""


def make_app(
    understand: Understand,
    take: Callable[[Sequence[Message]], None],
    trouble: Callable[[], str | None],
    max_body_bytes: int,
    token: str = "",
    log: Any = None,
) -> Flask:
    """The application.

    `take` returns when the messages are committed and raises `Unavailable` when they are not;
    `trouble` says why nothing can be taken at present, None when all is well. With a `token`,
    events need `Authorization: Bearer TOKEN`.
    """
    app = Flask("tocsin.http")
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes

    @app.post(_EVENTS)
    def events() -> tuple[Response, int]:
        if not _allowed(token):
            response, status = _error(401, "a token is needed: 'Authorization: Bearer TOKEN'.")
            response.headers["WWW-Authenticate"] = "Bearer"
            return response, status
        if reason := trouble():
            raise Unavailable(reason)
        headers = {name.lower(): value for name, value in request.headers.items()}
        messages, is_array = posted.read(request.get_data(), request.content_type, headers)
        for index, message in enumerate(messages):
            if refusal := understand(message):
                return _error(400, refusal, **({"index": index} if is_array else {}))
        if messages:
            take(messages)
        return jsonify(accepted=len(messages)), 202

    @app.get(_HEALTH)
    def healthz() -> tuple[Response, int]:
        reason = trouble()
        return jsonify(status=reason or "ok"), 503 if reason else 200

    @app.errorhandler(posted.Unacceptable)
    def unacceptable(error: posted.Unacceptable) -> tuple[Response, int]:
        return _error(error.status, str(error))

    @app.errorhandler(Unavailable)
    def unavailable(error: Unavailable) -> tuple[Response, int]:
        response, status = _error(503, str(error))
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response, status

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        response = Response(status=error.code, headers=error.get_headers())
        response.data = app.json.dumps({"error": _explain(error, max_body_bytes)}) + "\n"
        response.content_type = "application/json"
        return response

    @app.errorhandler(Exception)
    def bug(error: Exception) -> tuple[Response, int]:
        log.error("http.failed", path=request.path, exc_info=error)
        return _error(500, "Tocsin failed on this request; its log says why.")

    return app


def _allowed(token: str) -> bool:
    given = request.headers.get("Authorization", "")
    return not token or hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


def _error(status: int, reason: str, **more: Any) -> tuple[Response, int]:
    return jsonify(error=reason, **more), status


def _explain(error: HTTPException, max_body_bytes: int) -> str:
    match error.code:
        case 404:
            return f"nothing is at {request.path}. Post events to {_EVENTS}."
        case 405:
            return f"{request.method} does not work here. POST to {_EVENTS}, GET {_HEALTH}."
        case 413:
            return too_large(max_body_bytes)
        case _:
            return error.description or error.name


def too_large(max_body_bytes: int) -> str:
    """What to say of a body over the limit."""
    return (
        f"the body is larger than {max_body_bytes} bytes. "
        "Send fewer events at once, or raise max_body_bytes of the http listener."
    )
