"""Every error of Aodh's API is told in Aodh's form, and nothing that is sent makes it fail
(alarms 18)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.access.settings import ApiSettings
from pipeline.api import make_app
from pipeline.errors import StoreUnavailable, Unauthenticated
from pipeline.store.sql import SqlStore

from api.v2.asking import EVENT, Aodh, said
from cli.application import TestApplication


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v2", 404, "The resource could not be found."),
        ("GET", "/v2/bogus", 404, "The resource could not be found."),
        ("GET", "/v2/alarms/x/bogus", 404, "The resource could not be found."),
        ("PATCH", "/v2/alarms", 405, "The method PATCH is not allowed for this resource."),
        ("GET", "/v2/query/alarms", 405, "The method GET is not allowed for this resource."),
        ("POST", "/v2/alarms", 400, 'Missing argument: "data"'),
        ("POST", "/v2/query/alarms", 400, 'Missing argument: "body"'),
        ("PUT", "/v2/alarms/x/state", 400, 'Missing argument: "state"'),
    ],
)
def test_a_request_that_leads_nowhere(
    aodh: Aodh, method: str, path: str, status: int, text: str
) -> None:
    answer = aodh.ask(method, path)
    assert (answer.status_code, said(answer)) == (status, text)
    if status == 405:
        assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("sent", "status", "text"),
    [
        ({"data": "{"}, 400, "Request is not in valid JSON format"),
        ({"data": b"\xff"}, 400, "Request is not in valid JSON format"),
        ({"data": "[" * 100_000}, 400, "Request is not in valid JSON format"),
        ({"data": '{"name": NaN}'}, 400, "Request is not in valid JSON format"),
        ({"data": "a", "content_type": "text/plain"}, 415, "Unknown mimetype: text/plain"),
        ({"data": " " * 2_000_000}, 413, ""),
        ({"json": [1]}, 400, "Invalid input for field/attribute data. Value: '[1]'."),
    ],
)
def test_a_body_that_is_none(aodh: Aodh, sent: dict[str, Any], status: int, text: str) -> None:
    answer = aodh.post("/v2/alarms", **{"content_type": "application/json", **sent})
    assert answer.status_code == status
    assert said(answer).startswith(text)


def test_json_is_taken_where_no_type_is_said(aodh: Aodh) -> None:
    answer = aodh.post("/v2/alarms", data=json.dumps(EVENT), content_type="")
    assert answer.status_code == 201


def test_who_has_not_shown_who_they_are(store: SqlStore) -> None:
    def nobody(_: Any) -> Any:
        raise Unauthenticated("send a token.")

    log = structlog.ReturnLogger()
    app = make_app(TestApplication(store), nobody, ApiSettings(), log)
    answer = app.test_client().get("/v2/alarms")
    assert (answer.status_code, said(answer)) == (401, "send a token.")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (StoreUnavailable("it is away"), 503, "it is away"),
        (RuntimeError("a secret"), 500, "Tocsin failed on this request; its log says why"),
    ],
)
def test_what_is_not_the_callers_doing(
    aodh: Aodh, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, text: str
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(aodh.application.store, "search", fail)
    answer = aodh.get("/v2/alarms")
    assert answer.status_code == status
    assert said(answer).startswith(text)


TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["a", "p-1", "\0", "\ud800", "1" * 400, "2026-01-01T00:00:00+14:00", "true"]),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "eq", "NaN"]),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS),
        st.just(10**400),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
CONDITIONS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("field", "op", "value", "type"), JSON)
)
ALARMS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("name", "type", "description", "enabled", "severity", "state"), JSON),
        **dict.fromkeys(("project_id", "user_id", "repeat_actions", "all_projects"), JSON),
        **dict.fromkeys(("ok_actions", "alarm_actions", "insufficient_data_actions"), JSON),
        "event_rule": JSON
        | st.fixed_dictionaries({}, optional={"event_type": JSON, "query": st.lists(CONDITIONS)}),
        "time_constraints": JSON
        | st.lists(
            st.fixed_dictionaries(
                {}, optional=dict.fromkeys(("name", "start", "duration", "timezone"), JSON)
            ),
            max_size=2,
        ),
        "composite_rule": JSON,
        "bogus": JSON,
    },
).map(lambda changes: {**EVENT, **changes})
SIGNS = st.sampled_from(["=", "!=", "<", "=>", "=~", "in", "IN", "like"])
NAMES = st.sampled_from(["name", "timestamp", "enabled", "severity", "type", "detail", "project"])
FILTERS = st.recursive(
    st.builds(lambda sign, name, value: {sign: {name: value}}, SIGNS, NAMES, JSON) | JSON,
    lambda inner: st.one_of(
        st.builds(lambda part: {"not": part}, inner),
        st.builds(lambda word, parts: {word: parts}, st.sampled_from(["and", "OR"]),
                  st.lists(inner, max_size=3)),
    ),
    max_leaves=5,
)  # fmt: skip
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "filter": FILTERS.map(json.dumps) | JSON,
        "orderby": st.lists(st.dictionaries(NAMES, JSON, max_size=2)).map(json.dumps) | JSON,
        "limit": JSON,
    },
)
BODIES = {
    ("POST", "/v2/alarms"): ALARMS | JSON,
    ("PUT", "/v2/alarms/{}"): ALARMS | JSON,
    ("PUT", "/v2/alarms/{}/state"): JSON,
    ("POST", "/v2/query/alarms"): QUERIES | JSON,
    ("POST", "/v2/query/alarms/history"): QUERIES | JSON,
    ("POST", "/v2/quotas"): JSON
    | st.fixed_dictionaries(
        {},
        optional={
            "project_id": JSON,
            "quotas": st.lists(
                st.fixed_dictionaries({}, optional={"resource": JSON, "limit": JSON}), max_size=2
            ),
        },
    ),
}
ARGUMENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [*("q.field", "q.op", "q.value", "q.type", "sort", "limit", "marker"), "project_id"]
        ),
        TEXTS.map(lambda text: text.encode("utf-8", "replace").decode())
        | NAMES
        | st.sampled_from(["state_timestamp:desc", "-5", "5", "ge", "lt", "datetime"]),
    ),
    max_size=8,
)
anything = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@anything
@given(data=st.data())
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_no_body_makes_it_fail(aodh: Aodh, method: str, path: str, data: st.DataObject) -> None:
    body = data.draw(BODIES[method, path])
    role = data.draw(st.sampled_from(["admin", "member,reader"]))
    alarm_id = aodh.application.store.search(limit=1)
    known = alarm_id[0].alarm_id if alarm_id else aodh.made()["alarm_id"]
    answer = aodh.ask(
        method,
        path.format(known),
        role=role,
        data=json.dumps(body),
        content_type="application/json",
    )
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert said(answer)


@anything
@given(arguments=ARGUMENTS)
@pytest.mark.parametrize(
    "path",
    ["/v2/alarms", "/v2/alarms/{}/history", "/v2/metrics", "/v2/quotas", "/v2/alarms/{}"],
)
def test_no_argument_makes_it_fail(
    aodh: Aodh, path: str, arguments: list[tuple[str, str]]
) -> None:
    made = aodh.application.store.search(limit=1)
    known = made[0].alarm_id if made else aodh.made()["alarm_id"]
    answer = aodh.get(f"{path.format(known)}?{urlencode(arguments)}")
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert said(answer)
