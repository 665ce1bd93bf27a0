"""/v1/alarms: documents in and out, edits that do not meet, and whose alarms they are."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.access import Role
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import a_caller, an_alarm

HOOK = "https://receiver.example/hook"
OF_P1: dict[str, Any] = {
    "project_id": "p-1",
    "projects": frozenset({"p-1"}),
    "names": frozenset(),
}


def test_an_alarm_is_made_shown_changed_and_deleted(api: Api, store: SqlStore) -> None:
    made = api.post("/v1/alarms", json={"name": "gone", "alarm_actions": [HOOK]})
    assert (made.status_code, made.json["name"], made.json["state"]) == (
        201,
        "gone",
        "insufficient data",
    )
    path = f"/v1/alarms/{made.json['alarm_id']}"
    assert api.get("/v1/alarms/gone").json == api.get(path).json == made.json
    changed = api.patch(path, json={"severity": "critical"})
    assert (changed.status_code, changed.json["severity"]) == (200, "critical")
    assert api.put(f"{path}/state", json={"state": "ok"}).json == {"state": "ok"}
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    types = {line["type"] for line in api.get(f"{path}/history").json["items"]}
    assert types == {"deletion", "state transition", "rule change", "creation"}


def test_an_edit_of_what_was_changed_meanwhile_is_refused(api: Api) -> None:
    made = api.post("/v1/alarms", json={"name": "one"})
    path = f"/v1/alarms/{made.json['alarm_id']}"
    digest = made.headers["ETag"]
    assert api.patch(path, json={"name": "two"}, headers={"If-Match": digest}).status_code == 200
    late = api.patch(path, json={"name": "three"}, headers={"If-Match": digest})
    assert (late.status_code, late.content_type) == (412, "application/problem+json")
    assert "changed meanwhile" in late.json["detail"]
    assert api.delete(path, headers={"If-Match": digest}).status_code == 412
    assert api.get(path).json["name"] == "two"


def test_a_problem_names_each_field_and_the_mend(api: Api) -> None:
    answer = api.post(
        "/v1/alarms",
        json={"name": "a", "severty": "low", "event_rule": {"query": [{"op": "eq"}]}},
    )
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    problem = answer.json
    assert problem["request_id"] == answer.headers["x-openstack-request-id"]
    found = {each["field"]: each["detail"] for each in problem["errors"]}
    assert "Did you mean 'severity'?" in found["severty"]
    assert set(found) == {
        "severty",
        "event_rule.query.0.field",
        "event_rule.query.0.value",
    }


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"data": "{", "content_type": "application/json"}, 400, "no JSON"),
        ({"json": [1]}, 400, "no object"),
        ({"data": "a=b", "content_type": "text/plain"}, 415, "Content-Type: application/json"),
    ],
)
def test_what_is_no_document_is_refused(
    api: Api, sent: dict[str, Any], status: int, said: str
) -> None:
    answer = api.post("/v1/alarms", **sent)
    assert answer.status_code == status
    assert said in answer.json["detail"]


def test_a_list_comes_in_pages_that_lead_to_each_other(api: Api, store: SqlStore) -> None:
    for name in "abcde":
        store.create(an_alarm(name=name))
    names, path = [], "/v1/alarms?limit=2&sort=name:asc&filter=enabled=true"
    while path:
        page = api.get(path).json
        names.append("".join(alarm["name"] for alarm in page["items"]))
        path = page["next"]
    assert names == ["ab", "cd", "e"]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "marker=nobody", "x=1"])
def test_a_query_that_makes_no_sense_is_a_problem(api: Api, query: str) -> None:
    answer = api.get(f"/v1/alarms?{query}")
    assert answer.status_code == 400
    assert query.split("=")[0] in [each["field"] for each in answer.json["errors"]]


def test_several_are_made_or_none(api: Api, store: SqlStore) -> None:
    good, bad = {"name": "good"}, {"name": "bad", "severity": "high"}
    assert api.post("/v1/alarms/batch", json={"alarms": [good, bad]}).status_code == 400
    assert store.counts().alarms == 0
    made = api.post("/v1/alarms/batch", json={"alarms": [good, good]})
    assert (made.status_code, store.counts().alarms) == (201, 2)


class TestProjects:
    """notifications 14, alarms 9, 24: who is held to a project."""

    def test_they_see_their_projects_alarms_alone(self, api: Api, store: SqlStore) -> None:
        mine = store.create(an_alarm(name="mine", project_id="p-1"))
        theirs = store.create(an_alarm(name="theirs", project_id="p-2"))
        caller = a_caller(**OF_P1)
        found = api.get("/v1/alarms", by=caller).json["items"]
        assert [each["alarm_id"] for each in found] == [mine.alarm_id]
        for method, path in (
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("PUT", "/state"),
            ("GET", "/history"),
        ):
            answer = api.ask(
                method, f"/v1/alarms/{theirs.alarm_id}{path}", by=caller, json={"state": "ok"}
            )
            assert answer.status_code == 404, method
        assert store.get(theirs.alarm_id) == theirs

    def test_what_they_make_is_their_projects_and_guarded(self, api: Api, store: SqlStore) -> None:
        made = api.post("/v1/alarms", json={"name": "a", "alarm_actions": [HOOK]},
                        by=a_caller(**OF_P1))  # fmt: skip
        alarm = store.get(made.json["alarm_id"])
        assert (alarm.project_id, alarm.all_projects, alarm.guarded) == ("p-1", False, True)

    def test_an_admin_does_not_lift_the_guard_of_what_others_set(
        self, api: Api, store: SqlStore
    ) -> None:
        made = api.post("/v1/alarms", json={"name": "a", "alarm_actions": [HOOK]},
                        by=a_caller(**OF_P1)).json  # fmt: skip
        api.patch(f"/v1/alarms/{made['alarm_id']}", json={"name": "b"})
        assert store.get(made["alarm_id"]).guarded
        both = [HOOK, "https://x.example"]
        api.patch(f"/v1/alarms/{made['alarm_id']}", json={"alarm_actions": both})
        assert store.get(made["alarm_id"]).guarded
        api.patch(f"/v1/alarms/{made['alarm_id']}", json={"alarm_actions": ["https://y.example"]})
        assert not store.get(made["alarm_id"]).guarded

    @pytest.mark.parametrize(
        "document",
        [
            {"project_id": "p-2"},
            {"project_id": ""},
            {"all_projects": True},
            {"alarm_actions": ["log://"]},
            {"alarm_actions": ["target:ci"]},
            {"alarm_actions": ["group:admins"]},
        ],
    )
    def test_they_make_nothing_that_reaches_beyond(
        self, api: Api, store: SqlStore, document: dict[str, Any]
    ) -> None:
        answer = api.post("/v1/alarms", json={"name": "a", **document}, by=a_caller(**OF_P1))
        assert answer.status_code == 403
        assert store.counts().alarms == 0

    @pytest.mark.parametrize("role", [Role.AUDIT, Role.MANAGE])
    def test_a_role_that_may_not_modify_does_not(
        self, api: Api, store: SqlStore, role: Role
    ) -> None:
        alarm = store.create(an_alarm())
        caller, path = a_caller(role=role), f"/v1/alarms/{alarm.alarm_id}"
        assert api.post("/v1/alarms", json={"name": "a"}, by=caller).status_code == 403
        assert api.patch(path, json={"name": "a"}, by=caller).status_code == 403
        assert api.delete(path, by=caller).status_code == 403
        set_state = api.put(f"{path}/state", json={"state": "ok"}, by=caller)
        assert set_state.status_code == (200 if role is Role.MANAGE else 403)


@pytest.mark.parametrize("target", [-909, True, {"a": 1}, [[]]])
def test_names_that_are_none_are_refused(api: Api, target: Any) -> None:
    for by in (a_caller(), a_caller(names=frozenset({"a-matcher"}))):
        answer = api.post("/v1/matchers", json={"name": "a-matcher", "target": target}, by=by)
        assert answer.status_code in (400, 403), answer.text


def test_the_history_says_who_it_was(api: Api, store: SqlStore) -> None:
    made = api.post("/v1/alarms", json={"name": "a", "project_id": "p-9"},
                    by=a_caller("u-7", project_id="p-7"))  # fmt: skip
    (line,) = api.get(f"/v1/alarms/{made.json['alarm_id']}/history").json["items"]
    assert (line["user_id"], line["project_id"], line["on_behalf_of"]) == ("u-7", "p-7", "p-9")
