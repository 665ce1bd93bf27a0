"""Aodh's API as its clients ask it, by headers (noauth), in this process.

aodh = Aodh(application)
aodh.get("/v2/alarms", role="member", project="p-2").json
"""

from __future__ import annotations

from typing import Any

import structlog
from werkzeug.test import TestResponse

from pipeline.access.settings import ApiSettings
from pipeline.api import make_app
from pipeline.api.identity import noauth_caller

from api.asking import Asking
from cli.application import TestApplication

EVENT: dict[str, Any] = {"name": "a", "type": "event", "event_rule": {"event_type": "x.y"}}


class Aodh(Asking):
    """Asks as user u-1 of project p-1, an admin, unless the test says another."""

    def __init__(self, application: TestApplication, **settings: Any) -> None:
        self.application = application
        log, made = structlog.ReturnLogger(), ApiSettings(**settings)
        self.app = make_app(application, noauth_caller, made, log)
        self._client = self.app.test_client()

    def ask(
        self,
        method: str,
        path: str,
        role: str = "admin",
        project: str = "p-1",
        user: str = "u-1",
        **more: Any,
    ) -> TestResponse:
        """The answer; `more` is what werkzeug's test client takes: json, data, query_string."""
        headers = {"X-Roles": role, "X-Project-Id": project, "X-User-Id": user}
        return self._client.open(path, method=method, headers=headers, **more)

    def made(self, **fields: Any) -> Any:
        """Make an alarm of the admin's project; as it was answered."""
        answer = self.post("/v2/alarms", json={**EVENT, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json


def said(answer: TestResponse) -> str:
    """What an error says, in Aodh's form."""
    error: Any = answer.json["error_message"]
    assert set(error) == {"faultcode", "faultstring", "debuginfo"}
    assert error["debuginfo"] is None
    assert error["faultcode"] == ("Client" if answer.status_code < 500 else "Server")
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    text: str = error["faultstring"]
    return text
