"""What is true of every request: its id, its form, how it is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from pipeline.access import LOCAL
from pipeline.access.settings import ApiSettings
from pipeline.api import make_app
from pipeline.metrics import Metrics

from api.asking import Api


def test_each_request_has_an_id_and_one_that_is_given_is_kept(api: Api) -> None:
    first, second = (api.get("/v1/alarms").headers["x-openstack-request-id"] for _ in "12")
    assert first.startswith("req-")
    assert first != second
    given = {"x-openstack-request-id": "req-0af1"}
    assert api.get("/v1/alarms", headers=given).headers["x-openstack-request-id"] == "req-0af1"
    forged = {"x-openstack-request-id": "req-1 user=root"}
    answer = api.get("/v1/alarms", headers=forged)
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    assert " " not in answer.headers["x-openstack-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/nothing", 404), ("PUT", "/v1/alarms", 405)]
)
def test_what_is_not_there_is_a_problem_too(api: Api, method: str, path: str, status: int) -> None:
    answer = api.ask(method, path)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert path in answer.json["detail"]
    assert "/docs" in answer.json["detail"]


def test_a_bug_is_logged_beside_the_id_that_is_answered(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Iterator[object]:
        raise RuntimeError("the secret is 1234")

    monkeypatch.setattr(api.application.store.__class__, "search", fails)
    answer = api.get("/v1/alarms")
    assert answer.status_code == 500
    assert answer.json["request_id"] in answer.json["detail"]
    assert "1234" not in answer.text
    logged = [call.kwargs for call in api.log.calls if call.method_name == "error"]
    assert [line["request_id"] for line in logged] == [answer.json["request_id"]]


def test_requests_are_counted_by_route(api: Api) -> None:
    metrics = Metrics()
    app = make_app(
        api.application, lambda _: LOCAL, ApiSettings(), structlog.ReturnLogger(), metrics
    )
    for path in ("/v1/alarms/a", "/v1/alarms/b", "/v1/alarms"):
        app.test_client().get(path)

    def count(route: str, status: str) -> float | None:
        labels = {"method": "GET", "route": route, "status": status}
        return metrics.registry.get_sample_value("tocsin_api_requests_total", labels)

    assert count("/v1/alarms/<alarm>", "404") == 2
    assert count("/v1/alarms", "200") == 1
