"""Requests to a Tocsin API: documents there and back, problems as the errors that they were.

The server's problem documents (`pipeline.api.problems`) become our errors again, with their own
words, so that a command ends with the same message and exit code as on the server itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests

from pipeline import __version__
from pipeline.access.settings import ClientSettings
from pipeline.desk import Document, Page
from pipeline.desk.base import MOST_AT_ONCE
from pipeline.errors import (
    Ambiguous,
    Conflict,
    Forbidden,
    InvalidDocuments,
    InvalidValue,
    NotFound,
    Problem,
    StoreUnavailable,
    TocsinError,
    Unauthenticated,
)

_CONNECT_SECONDS = 5.0


class Connection:
    """A session with one server. Raises `InvalidValue` for a URL that is none of HTTP."""

    def __init__(self, settings: ClientSettings) -> None:
        parts = urlsplit(settings.server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidValue(
                f"--server {settings.server!r} is no URL of a server. Write "
                "https://tocsin.example:8042.",
                "server",
            )
        self.url = settings.server.rstrip("/")
        self._timeouts = (_CONNECT_SECONDS, settings.timeout_seconds)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"tocsin/{__version__}"
        if settings.token:
            self._session.headers["Authorization"] = f"Bearer {settings.token}"
        if settings.ca_file:
            self._session.verify = settings.ca_file

    def close(self) -> None:
        """Let go of all connections."""
        self._session.close()

    def get(self, *path: str, **query: Any) -> Document:
        """A document. A query argument that is None is left out, a list is given several times."""
        return self._asked("GET", path, query)

    def post(self, *path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Document:
        """What came of it."""
        return self._asked("POST", path, query, body or {})

    def put(self, *path: str, body: Mapping[str, Any]) -> Document:
        """What came of it."""
        return self._asked("PUT", path, {}, body)

    def patch(
        self, *path: str, body: Mapping[str, Any], digest: str | None = None, **query: Any
    ) -> Document:
        """The document as it is now."""
        return self._asked("PATCH", path, query, body, digest)

    def delete(self, *path: str, digest: str | None = None, **query: Any) -> Document:
        """What came of it; nothing, as a rule."""
        return self._asked("DELETE", path, query, digest=digest)

    def page(self, *path: str, limit: int | None, marker: str | None = None, **query: Any) -> Page:
        """The part of a list that is asked for; without a limit all of it, page by page."""
        items: list[Document] = []
        for page in self._pages(path, limit, marker, query):
            items += page.items
            marker = page.marker
            if limit is not None and len(items) >= limit:
                break
        return Page(items, marker)

    def _pages(
        self, path: tuple[str, ...], limit: int | None, marker: str | None, query: dict[str, Any]
    ) -> Iterator[Page]:
        left = limit
        while True:
            most = MOST_AT_ONCE if left is None else min(left, MOST_AT_ONCE)
            found = self._asked("GET", path, {**query, "limit": most, "marker": marker})
            marker = _marker_of(found["next"])
            yield Page(found["items"], marker)
            if marker is None:
                return
            left = None if left is None else left - len(found["items"])

    def _asked(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
        digest: str | None = None,
    ) -> Document:
        url = "/".join([self.url, "v1", *(quote(part, safe="") for part in path)])
        given = {name: value for name, value in query.items() if value is not None}
        headers = {"If-Match": f'"{digest}"'} if digest else {}
        try:
            answer = self._session.request(
                method,
                url,
                params=given,
                json=body,
                headers=headers,
                timeout=self._timeouts,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise StoreUnavailable(f"{self.url} cannot be asked: {_reason(error)}") from error
        return self._read(answer)

    def _read(self, answer: requests.Response) -> Document:
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return {}
        try:
            found = answer.json()
        except ValueError as error:
            raise StoreUnavailable(
                f"{self.url} answered {answer.status_code} and no JSON. Is it a Tocsin API?"
            ) from error
        if answer.ok and isinstance(found, dict):
            return found
        raise _error(answer.status_code, found if isinstance(found, dict) else {})


def _marker_of(following: str | None) -> str | None:
    """The marker in the path of the page that follows."""
    return parse_qs(urlsplit(following).query)["marker"][0] if following else None


def _error(status: int, problem: Mapping[str, Any]) -> TocsinError:
    """The error that a problem document was made of."""
    detail = str(problem.get("detail") or f"the server answered {status}.")
    errors = problem.get("errors") or [{}]
    field = errors[0].get("field")
    match status:
        case HTTPStatus.NOT_FOUND:
            return NotFound(detail)
        case HTTPStatus.CONFLICT:
            return Conflict(detail, field) if field else Ambiguous(detail)
        case HTTPStatus.PRECONDITION_FAILED:
            return Conflict(detail, "digest")
        case HTTPStatus.UNAUTHORIZED:
            return Unauthenticated(detail)
        case HTTPStatus.FORBIDDEN:
            return Forbidden(detail)
        case _ if all("file" in each for each in errors):
            return InvalidDocuments([_placed(each) for each in errors])
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return InvalidValue(detail, field)
        case _:
            return StoreUnavailable(detail)


def _placed(error: Mapping[str, Any]) -> Problem:
    """What is wrong in a document that was sent, and where."""
    line, column = error.get("line"), error.get("column")
    return Problem(error["file"], line, column, error["field"], error["detail"])


def _reason(error: requests.RequestException) -> str:
    """The innermost reason, which says most."""
    cause: BaseException = error
    while cause.__context__ is not None or getattr(cause, "reason", None) is not None:
        inner = getattr(cause, "reason", None)
        following = inner if isinstance(inner, BaseException) else cause.__context__
        if following is None:
            break
        cause = following
    return str(cause) or type(cause).__name__
