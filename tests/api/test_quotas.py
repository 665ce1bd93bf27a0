"""/v1/quotas, /v1/capabilities and /v1/alarm-history: whose they are (alarms 22, 23)."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.access import Role
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import a_caller, an_alarm

OF_P1: dict[str, Any] = {"project_id": "p-1", "projects": frozenset({"p-1"})}


def limited(project: str, limit: int) -> dict[str, Any]:
    return {"project_id": project, "quotas": [{"resource": "alarms", "limit": limit}]}


def test_admins_of_all_projects_set_quotas_and_others_see_their_own(api: Api) -> None:
    assert api.put("/v1/quotas", json=limited("p-1", 1)).json == limited("p-1", 1)
    member = a_caller(**OF_P1)
    assert api.get("/v1/quotas", by=member).json == limited("p-1", 1)
    assert api.get("/v1/quotas?project_id=p-2", by=member).status_code == 403
    assert api.put("/v1/quotas", by=member, json=limited("p-1", 9)).status_code == 403
    assert api.delete("/v1/quotas?project_id=p-1", by=member).status_code == 403
    reader = a_caller(role=Role.AUDIT)
    assert api.put("/v1/quotas", by=reader, json=limited("p-1", 9)).status_code == 403
    assert api.get("/v1/quotas?project_id=p-2", by=reader).json == limited("p-2", -1)
    assert api.delete("/v1/quotas?project_id=p-1").status_code == 204
    assert api.get("/v1/quotas?project_id=p-1").json == limited("p-1", -1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (limited("p-1", -2), "limit"),
        ({"project_id": "p-1", "quotas": [{"resource": "x", "limit": 1}]}, "resource"),
        ({"project_id": 5, "quotas": []}, "project_id"),
        ({"quotas": []}, "project_id"),
        ({"project_id": "p-1", "quotas": [{"resource": "alarms"}]}, "quotas.0.limit"),
    ],
)
def test_what_is_no_quota_is_a_problem(api: Api, body: Any, field: str) -> None:
    answer = api.put("/v1/quotas", json=body)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, field)


def test_over_quota_is_forbidden(api: Api) -> None:
    api.put("/v1/quotas", json=limited("p-1", 0))
    answer = api.post("/v1/alarms", json={"name": "a"}, by=a_caller("u-7", **OF_P1))
    assert answer.status_code == 403
    assert answer.json["detail"] == "Alarm quota exceeded for user u-7 on project p-1"


def test_history_of_all_alarms_is_of_the_callers_projects(api: Api, store: SqlStore) -> None:
    for project in ("p-1", "p-2", "p-1"):
        store.create(an_alarm(project_id=project))
    page = api.get("/v1/alarm-history?limit=1", by=a_caller(**OF_P1)).json
    rest = api.get(page["next"], by=a_caller(**OF_P1)).json
    lines = [*page["items"], *rest["items"]]
    assert [line["on_behalf_of"] for line in lines] == ["p-1", "p-1"]
    assert rest["next"] is None
    assert len(api.get("/v1/alarm-history?query=on_behalf_of=p-2").json["items"]) == 1


def test_a_name_is_looked_for_among_the_callers_alarms_alone(api: Api, store: SqlStore) -> None:
    for project in ("p-1", "p-2"):
        store.create(an_alarm(name="same", project_id=project))
    assert api.get("/v1/alarms/same").status_code == 409
    assert api.get("/v1/alarms/same", by=a_caller(**OF_P1)).json["project_id"] == "p-1"


def test_capabilities_are_told_to_everybody(api: Api) -> None:
    found = api.get("/v1/capabilities", by=a_caller(role=Role.AUDIT, **OF_P1)).json
    assert found["api"]["alarms:query:simple"] is True
