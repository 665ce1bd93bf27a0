"""How much a caller may ask, and from which pages: limits, CORS, headers, health."""

from __future__ import annotations

from typing import Any

import pytest
from limits.storage import MemoryStorage
from structlog.testing import CapturingLogger

from pipeline.access import Caller
from pipeline.access.settings import ApiSettings
from pipeline.api import make_app
from pipeline.errors import IdentityUnavailable, StoreUnavailable, Unauthenticated
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import a_caller
from cli.application import TestApplication

CONSOLE = "https://console.example"


def test_a_caller_may_ask_so_often_and_no_more(store: SqlStore) -> None:
    api = Api(TestApplication(store), rate_limit="3/hour")
    anna, otto = a_caller("anna"), a_caller("otto")
    answers = [api.get("/v1/alarms", by=anna) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.content_type == "application/problem+json"
    assert "more than 3 per 1 hour. Try again in" in refused.json["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 3_601
    assert api.get("/v1/alarms", by=otto).status_code == 200
    assert api.get("/healthz").status_code == 200


def test_without_a_limit_nobody_is_counted(store: SqlStore) -> None:
    api = Api(TestApplication(store), rate_limit="", failed_rate_limit="")
    assert {api.get("/v1/alarms").status_code for _ in range(50)} == {200}


class Door:
    """An API whose callers show `good`; `asked` counts how often that was looked at."""

    def __init__(self, store: SqlStore, **settings: Any) -> None:
        self.asked = 0
        self.error: Exception = Unauthenticated("show who you are.")
        app = make_app(
            TestApplication(store), self._identify, ApiSettings(**settings), CapturingLogger()
        )
        self._client = app.test_client()

    def _identify(self, headers: Any) -> Caller:
        self.asked += 1
        if headers.get("authorization") != "Bearer good":
            raise self.error
        return a_caller()

    def knock(self, shown: str = "bad", address: str = "192.0.2.1", **headers: str) -> Any:
        return self._client.get(
            "/v1/alarms",
            headers={"Authorization": f"Bearer {shown}", **headers},
            environ_base={"REMOTE_ADDR": address},
        )


def test_an_address_that_fails_too_often_is_not_looked_at(store: SqlStore) -> None:
    door = Door(store, failed_rate_limit="2/hour")
    assert [door.knock().status_code for _ in range(4)] == [401, 401, 429, 429]
    assert door.asked == 2
    assert door.knock("good").status_code == 429
    assert door.knock("good", address="192.0.2.2").status_code == 200


def test_what_cannot_be_found_out_is_no_failure_of_the_address(store: SqlStore) -> None:
    door = Door(store, failed_rate_limit="1/hour")
    door.error = IdentityUnavailable("the provider is away.")
    answers = [door.knock() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert answers[0].headers["Retry-After"]


@pytest.mark.parametrize(("proxies", "second"), [(0, 429), (1, 401), (2, 429)])
def test_addresses_are_those_that_the_proxies_say(
    store: SqlStore, proxies: int, second: int
) -> None:
    door = Door(store, failed_rate_limit="1/hour", proxies=proxies)
    forwarded = [{"X-Forwarded-For": f"198.51.100.9, 203.0.113.{last}"} for last in (1, 2)]
    assert [door.knock(**given).status_code for given in forwarded] == [401, second]


def test_memory_is_not_filled_by_addresses(store: SqlStore) -> None:
    """What is counted is forgotten when its time is over."""
    storage = MemoryStorage()
    storage.incr("address", expiry=0)
    storage._MemoryStorage__expire_events()  # type: ignore[attr-defined]
    assert storage.get("address") == 0
    assert storage.storage == {}


# --- CORS ------------------------------------------------------------------------------------


def preflight(api: Api, origin: str) -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
    return api.ask("OPTIONS", "/v1/alarms/x", headers=asked)


def test_no_page_of_another_origin_may_ask_by_default(api: Api) -> None:
    for answer in (preflight(api, CONSOLE), api.get("/v1/alarms", headers={"Origin": CONSOLE})):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_pages_of_origins_that_are_named_may(store: SqlStore) -> None:
    api = Api(TestApplication(store), cors_origins=(CONSOLE,))
    asked = preflight(api, CONSOLE)
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (204, CONSOLE)
    assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in asked.headers["Access-Control-Allow-Headers"]
    for path in ("/v1/alarms", "/v1/nothing"):
        answer = api.get(path, headers={"Origin": CONSOLE})
        assert answer.headers["Access-Control-Allow-Origin"] == CONSOLE
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [f"{CONSOLE}.evil.example", "http://console.example", f"{CONSOLE}:8443", "null", "*", ""],
)
def test_pages_of_origins_that_only_look_like_it_may_not(store: SqlStore, origin: str) -> None:
    api = Api(TestApplication(store), cors_origins=(CONSOLE,))
    for answer in (preflight(api, origin), api.get("/v1/alarms", headers={"Origin": origin})):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


def test_a_preflight_is_answered_before_who_asks_is_known(store: SqlStore) -> None:
    settings = {"cors_origins": (CONSOLE,)}
    door = Door(store, **settings)
    asked = {"Origin": CONSOLE, "Access-Control-Request-Method": "GET"}
    assert door._client.options("/v1/alarms", headers=asked).status_code == 204
    assert door._client.options("/v1/alarms", headers={"Origin": CONSOLE}).status_code == 401
    assert door.asked == 1


# --- answers ---------------------------------------------------------------------------------


def test_answers_are_not_to_be_kept_guessed_or_framed(api: Api) -> None:
    for path in ("/v1/alarms", "/v1/nothing", "/healthz"):
        headers = api.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_request_is_one_line_in_the_log_without_what_was_sent(api: Api) -> None:
    answer = api.get(
        "/v1/alarms?marker=geheim", headers={"Authorization": "Bearer geheim", "Cookie": "geheim"}
    )
    (call,) = [call for call in api.log.calls if call.method_name == "info"]
    line = call.kwargs
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/alarms", 400)
    assert line["bytes"] == len(answer.data) > 0
    assert line["request_id"] == answer.headers["x-openstack-request-id"]
    assert "geheim" not in repr(line)


def test_head_and_options_work_as_get_says(api: Api) -> None:
    head = api.ask("HEAD", "/v1/alarms")
    assert (head.status_code, head.data) == (200, b"")
    assert {"GET", "HEAD", "POST"} <= set(
        api.ask("OPTIONS", "/v1/alarms").headers["Allow"].split(", ")
    )


def test_ready_is_whoever_reaches_the_database(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.get("/readyz").json == {"status": "ok"}

    def away() -> None:
        raise StoreUnavailable("postgresql://db.internal does not answer")

    monkeypatch.setattr(api.application.store, "ping", away)
    answer = api.get("/readyz")
    assert (answer.status_code, "internal" in answer.text) == (503, False)
    assert api.get("/healthz").status_code == 200
