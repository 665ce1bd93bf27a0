"""The API as tests ask it: a real store behind it, and a caller of the test's choice.

api = Api(application)
api.get("/v1/alarms", by=a_caller(role=Role.AUDIT)).json
"""

from __future__ import annotations

from typing import Any

from structlog.testing import CapturingLogger
from werkzeug.test import TestResponse

from pipeline.access import LOCAL, Caller
from pipeline.access.settings import ApiSettings
from pipeline.api import make_app

from cli.application import TestApplication


class Asking:
    """A method for each of HTTP's; `ask` is that of who asks."""

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        raise AssertionError("each API is asked in its own way")

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> TestResponse:
        return self.ask("POST", path, **more)

    def put(self, path: str, **more: Any) -> TestResponse:
        return self.ask("PUT", path, **more)

    def patch(self, path: str, **more: Any) -> TestResponse:
        return self.ask("PATCH", path, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.ask("DELETE", path, **more)


class Api(Asking):
    """Asks the application in this process, without a socket. `by` is who asks: an admin."""

    def __init__(self, application: TestApplication, **settings: Any) -> None:
        self.application = application
        self._by = LOCAL
        self.log = CapturingLogger()
        made = make_app(application, lambda _: self._by, ApiSettings(**settings), self.log)
        self.app = made
        self._client = made.test_client()

    def ask(self, method: str, path: str, by: Caller = LOCAL, **more: Any) -> TestResponse:
        """The answer; `more` is what werkzeug's test client takes: json, headers."""
        self._by = by
        return self._client.open(path, method=method, **more)
