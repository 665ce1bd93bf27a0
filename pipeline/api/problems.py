"""Errors → answers: a problem document (RFC 9457) that names the field and the mend.

    {"type": "/docs#not-found", "title": "Not found", "status": 404,
     "detail": "Alarm x not found", "request_id": "req-…",
     "errors": [{"field": "event_rule.query", "detail": "…"}]}

Pure, but for the request that it asks about its path. What is asked of Aodh's API is answered in
Aodh's form (`pipeline.api.v2.faults`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import request
from werkzeug.exceptions import HTTPException

from pipeline.alarms.schema import flat
from pipeline.errors import (
    Ambiguous,
    Conflict,
    Forbidden,
    InvalidDocuments,
    InvalidValue,
    NotFound,
    StoreUnavailable,
    TocsinError,
    Unauthenticated,
)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5

# The first that fits.
_STATUSES: tuple[tuple[type[TocsinError], HTTPStatus], ...] = (
    (Conflict, HTTPStatus.CONFLICT),
    (Ambiguous, HTTPStatus.CONFLICT),
    (InvalidValue, HTTPStatus.BAD_REQUEST),
    (InvalidDocuments, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (StoreUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is answered. `errors` are (field, text) pairs; `places`, as many or none,
    say where in the documents that were sent each stands."""

    status: HTTPStatus
    detail: str
    errors: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    places: tuple[Mapping[str, Any], ...] = ()

    def document(self, request_id: str) -> dict[str, Any]:
        """The problem document."""
        found: dict[str, Any] = {
            "type": f"/docs#{self.status.name.lower().replace('_', '-')}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.errors:
            places = self.places or ({},) * len(self.errors)
            found["errors"] = [
                {"field": name, "detail": text, **place}
                for (name, text), place in zip(self.errors, places, strict=True)
            ]
        return found


def problem_of(error: Exception) -> Problem | None:
    """The problem that an error is; None for a bug."""
    if isinstance(error, HTTPException):
        return _of_http(error)
    status = next((each for kind, each in _STATUSES if isinstance(error, kind)), None)
    if status is None:
        return None
    if status is HTTPStatus.CONFLICT and getattr(error, "field", None) == "digest":
        status = HTTPStatus.PRECONDITION_FAILED
    headers: dict[str, str] = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Problem(status, str(error), tuple(_errors(error)), headers, tuple(_places(error)))


def _errors(error: Exception) -> Iterator[tuple[str, str]]:
    messages = getattr(error, "messages", None)
    if isinstance(error, InvalidDocuments):
        yield from ((problem.path, problem.message) for problem in error.problems)
    elif messages:
        yield from flat(messages)
    elif name := getattr(error, "field", None):
        yield name, str(error)


def _places(error: Exception) -> Iterator[Mapping[str, Any]]:
    if isinstance(error, InvalidDocuments):
        for problem in error.problems:
            yield {"file": problem.file, "line": problem.line, "column": problem.column}


def _of_http(error: HTTPException) -> Problem:
    status = HTTPStatus(error.code or 500)
    detail = _in_our_words(status, error)
    # webargs keeps what was wrong with which argument beside the error.
    messages = (getattr(error, "data", None) or {}).get("messages")
    errors = tuple(flat(_without_location(messages))) if messages else ()
    if errors:
        detail = "; ".join(f"{name}: {text}" if name else text for name, text in errors)
    headers = {
        name: value
        for name, value in error.get_headers()
        if name.lower() not in ("content-type", "content-length")
    }
    return Problem(status, detail, errors, headers)


def _in_our_words(status: HTTPStatus, error: HTTPException) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return f"nothing is at {request.path}. /docs lists what there is."
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{request.method} does not work on {request.path}. /docs lists what does."
        case _:
            return error.description or error.name


def _without_location(messages: Any) -> Any:
    """webargs' messages without the level that says where the argument stood."""
    if isinstance(messages, Mapping) and len(messages) == 1:
        return next(iter(messages.values()))
    return messages
