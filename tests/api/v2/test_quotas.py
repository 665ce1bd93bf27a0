"""/v2/quotas, /v2/metrics, /v2/capabilities, / and /healthcheck (alarms 17, 23)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.access.settings import ApiSettings
from pipeline.store.sql import SqlStore

from api.v2.asking import EVENT, Aodh, said


def limited(project: str, limit: int) -> dict[str, Any]:
    return {"project_id": project, "quotas": [{"resource": "alarms", "limit": limit}]}


class TestQuotas:
    def test_asking_stores_nothing(self, aodh: Aodh, store: SqlStore) -> None:
        """alarms 23: better."""
        assert aodh.get("/v2/quotas").json == limited("p-1", -1)
        assert store.quotas("p-1") == {}
        aodh.application.api_settings = replace(ApiSettings(), project_alarm_quota=7)
        assert aodh.get("/v2/quotas?project_id=p-2").json == limited("p-2", 7)

    def test_an_admin_sets_them_and_takes_them_away(self, aodh: Aodh) -> None:
        answer = aodh.post("/v2/quotas", json=limited("p-5", 1))
        assert (answer.status_code, answer.json) == (201, limited("p-5", 1))
        assert aodh.get("/v2/quotas", role="reader", project="p-5").json == limited("p-5", 1)
        assert aodh.post("/v2/quotas", json={"project_id": "p-5"}).json == limited("p-5", 1)
        for _ in range(2):
            assert aodh.delete("/v2/quotas/p-5").status_code == 204
        assert aodh.get("/v2/quotas?project_id=p-5").json == limited("p-5", -1)

    def test_who_has_as_many_as_they_may_makes_no_more(self, aodh: Aodh) -> None:
        aodh.post("/v2/quotas", json=limited("p-1", 1))
        first, second = (
            aodh.post("/v2/alarms", role="member", user=user, json=EVENT)
            for user in ("u-1", "u-2")
        )
        assert (first.status_code, second.status_code) == (201, 403)
        assert said(second) == "Alarm quota exceeded for user u-2 on project p-1"
        assert aodh.post("/v2/alarms", json={**EVENT, "project_id": "p-2"}).status_code == 201

    def test_defaults_bound_users(self, aodh: Aodh) -> None:
        aodh.application.api_settings = replace(ApiSettings(), user_alarm_quota=1)
        aodh.made()
        answer = aodh.post("/v2/alarms", json=EVENT, project="p-2")
        assert said(answer) == "Alarm quota exceeded for user u-1 on project p-2"

    @pytest.mark.parametrize("role", ["member", "reader"])
    def test_others_see_their_own_alone(self, aodh: Aodh, role: str) -> None:
        for method, path, body in (
            ("GET", "/v2/quotas?project_id=p-2", None),
            ("POST", "/v2/quotas", limited("p-1", 5)),
            ("DELETE", "/v2/quotas/p-1", None),
        ):
            answer = aodh.ask(method, path, role=role, json=body)
            assert (answer.status_code, said(answer)) == (403, "RBAC Authorization Failed")
        assert aodh.get("/v2/quotas", role=role).status_code == 200

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (
                limited("p-1", -2),
                "Invalid input for field/attribute limit. Value: '-2'. Value should be greater or "
                "equal to -1",
            ),
            (limited("p-1", 2**40), "Invalid input for field/attribute limit. Value: '1099511627"),
            (
                {"project_id": "p-1", "quotas": [{"resource": "other", "limit": 1}]},
                "Invalid input for field/attribute resource. Value: 'other'. Value should be one",
            ),
            (
                {"quotas": []},
                "Invalid input for field/attribute project_id. Value: 'None'. Mandatory field mis",
            ),
            (
                {"project_id": "p-1", "quotas": [{"resource": "alarms"}]},
                "Invalid input for field/attribute limit. Value: 'None'. Mandatory field missing.",
            ),
            (
                {"project_id": "p-1", "quotas": [{"resource": "alarms", "limit": 1, "x": 1}]},
                "Unknown attribute for argument body.quotas: x",
            ),
            (
                {"project_id": "p-1", "quotas": {}},
                "Invalid input for field/attribute quotas. Value: '{}'. Not a valid list.",
            ),
        ],
    )
    def test_what_is_no_quota_is_refused(self, aodh: Aodh, body: Any, text: str) -> None:
        answer = aodh.post("/v2/quotas", json=body)
        assert answer.status_code == 400
        assert said(answer).startswith(text)

    def test_it_must_be_said_whose_to_take_away(self, aodh: Aodh) -> None:
        assert said(aodh.delete("/v2/quotas")) == 'Missing argument: "project_id"'


def test_metrics_count_each_alarm_for_its_state(aodh: Aodh) -> None:
    mine, theirs = aodh.made(state="ok"), aodh.made(project_id="p-2")
    found: Any = aodh.get("/v2/metrics", role="reader").json
    assert found == {
        "evaluation_results": [
            {
                "alarm_id": mine["alarm_id"],
                "project_id": "p-1",
                "state_counters": {"insufficient data": 0, "ok": 1, "alarm": 0},
            }
        ]
    }
    everywhere: Any = aodh.get("/v2/metrics?all_projects=true").json
    ids = {each["alarm_id"] for each in everywhere["evaluation_results"]}
    assert ids == {mine["alarm_id"], theirs["alarm_id"]}
    assert aodh.get("/v2/metrics?all_projects=true", role="member").status_code == 403


def test_capabilities_are_aodhs(aodh: Aodh) -> None:
    assert aodh.get("/v2/capabilities", role="reader").json == {
        "api": {
            "alarms:history:query:complex": True,
            "alarms:history:query:simple": True,
            "alarms:query:complex": True,
            "alarms:query:simple": True,
        },
        "alarm_storage": {"storage:production_ready": True},
    }


def test_clients_find_the_versions_without_saying_who_they_are(aodh: Aodh) -> None:
    client = aodh.app.test_client()
    values: Any = client.get("/").json["versions"]["values"]
    assert {each["id"]: each["links"][0]["href"] for each in values} == {
        "v2": "http://localhost/v2",
        "v1": "http://localhost/v1",
    }
    assert values[0]["media-types"][0]["type"] == "application/vnd.openstack.telemetry-v2+json"
    health = client.get("/healthcheck")
    assert (health.status_code, health.mimetype) == (200, "text/plain")
