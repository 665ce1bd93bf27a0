"""/v2/alarms answers as Aodh 23 did (alarms 1 to 8, 17 to 20, 24)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.feed import AlarmsSettings
from pipeline.store.sql import SqlStore

from api.v2.asking import EVENT, Aodh, said

FIELDS = {
    *("alarm_id", "name", "description", "enabled", "ok_actions", "alarm_actions"),
    *("insufficient_data_actions", "repeat_actions", "type", "time_constraints", "project_id"),
    *("user_id", "timestamp", "state", "state_timestamp", "state_reason", "severity"),
    *("evaluate_timestamp", "event_rule"),
}
UNAUTHORIZED = "RBAC Authorization Failed"


class TestOneAlarm:
    def test_it_is_made_with_aodhs_fields_and_defaults(self, aodh: Aodh) -> None:
        """alarms 1, 17"""
        answer = aodh.post("/v2/alarms", json=EVENT)
        made: Any = answer.json
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"http://localhost/v2/alarms/{made['alarm_id']}"
        assert set(made) == FIELDS
        assert made["description"] == "Alarm when x.y event occurred."
        assert (made["state"], made["severity"]) == ("insufficient data", "low")
        assert (made["project_id"], made["user_id"]) == ("p-1", "u-1")
        assert made["event_rule"] == {"event_type": "x.y", "query": []}
        assert aodh.get(f"/v2/alarms/{made['alarm_id']}").json == made

    def test_put_takes_the_whole_of_it(self, aodh: Aodh) -> None:
        """alarms 17: what is not said is as by default, but for whose it is."""
        made = aodh.made(severity="critical", ok_actions=["https://x.example"], project_id="p-2")
        path = f"/v2/alarms/{made['alarm_id']}"
        changed = aodh.put(path, json={**EVENT, "name": "b", "state": "ok"})
        now: Any = changed.json
        assert (changed.status_code, now["name"], now["state"]) == (200, "b", "ok")
        assert (now["severity"], now["ok_actions"], now["project_id"]) == ("low", [], "p-2")
        assert now["state_reason"] == "Manually set via API"
        assert said(aodh.put(path, json={"name": "b", "type": "event"})) == (
            "event_rule must be set for event type alarm"
        )
        assert aodh.get(path).json == now

    def test_what_was_shown_can_be_put_back_with_its_secrets(
        self, aodh: Aodh, store: SqlStore
    ) -> None:
        """alarms 8: as clients change an alarm."""
        url = "https://u:geheim@receiver.example/x?token=geheim"
        made = aodh.made(alarm_actions=[url, url])
        assert "geheim" not in json.dumps(made)
        path = f"/v2/alarms/{made['alarm_id']}"
        assert aodh.put(path, json={**made, "name": "b"}).status_code == 200
        assert store.get(made["alarm_id"]).alarm_actions == (url,)

    def test_all_projects_is_told_where_it_is_so_and_kept(
        self, aodh: Aodh, store: SqlStore
    ) -> None:
        """alarms 9"""
        made = aodh.made(all_projects=True)
        path = f"/v2/alarms/{made['alarm_id']}"
        assert set(made) == {*FIELDS, "all_projects"}
        assert aodh.put(path, json=EVENT).json["all_projects"] is True
        assert "all_projects" not in aodh.put(path, json={**EVENT, "all_projects": False}).json

    def test_it_is_deleted(self, aodh: Aodh) -> None:
        path = f"/v2/alarms/{aodh.made()['alarm_id']}"
        gone = aodh.delete(path)
        assert (gone.status_code, gone.data) == (204, b"")
        for method in ("GET", "DELETE"):
            late = aodh.ask(method, path)
            assert (late.status_code, said(late)) == (
                404,
                f"Alarm {path.rpartition('/')[2]} not found",
            )

    def test_a_name_is_no_id(self, aodh: Aodh) -> None:
        aodh.made(name="here")
        assert said(aodh.get("/v2/alarms/here")) == "Alarm here not found"

    def test_its_state_is_a_json_string(self, aodh: Aodh) -> None:
        path = f"/v2/alarms/{aodh.made()['alarm_id']}/state"
        assert aodh.get(path).json == "insufficient data"
        assert aodh.put(path, json="alarm").json == "alarm"
        assert aodh.get(path).json == "alarm"
        for wrong in ("bogus", 5, {"state": "ok"}, ["ok"]):
            answer = aodh.put(path, json=wrong)
            assert (answer.status_code, said(answer)) == (400, "state invalid")

    def test_two_who_put_at_once_both_get_an_answer_and_one_remains(self, aodh: Aodh) -> None:
        made = aodh.made()
        path = f"/v2/alarms/{made['alarm_id']}"
        first, second = ({**made, "name": name} for name in ("first", "second"))
        assert [aodh.put(path, json=each).status_code for each in (first, second)] == [200, 200]
        lines: Any = aodh.get(f"{path}/history").json
        assert [json.loads(line["detail"])["name"] for line in lines] == ["second", "first", "a"]


CONDITION = {"field": "traits.n", "op": "eq", "type": "integer", "value": "1"}
CONSTRAINT = {"name": "t", "start": "0 11 * * *", "duration": 1}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"event_rule": None}, "event_rule must be set for event type alarm"),
        (
            {"name": None},
            "Invalid input for field/attribute name. Value: 'None'. Mandatory field missing.",
        ),
        (
            {"type": None},
            "Invalid input for field/attribute type. Value: 'None'. Mandatory field missing.",
        ),
        (
            {"event_rule": {"query": [{**CONDITION, "value": "hello"}]}},
            "Unable to convert the value hello to the expected data type integer.",
        ),
        (
            {"event_rule": {"query": [{**CONDITION, "field": "a b"}]}},
            "Query value or traits invalid: field 'a b' may have letters, digits",
        ),
        (
            {"event_rule": {"query": [{"value": "1"}]}},
            "Invalid input for field/attribute field. Value: 'None'. Mandatory field missing.",
        ),
        ({"bogus": 1}, "Unknown attribute for argument data: bogus"),
        ({"event_rule": {"bogus": 1}}, "Unknown attribute for argument data.event_rule: bogus"),
        (
            {"severity": "high"},
            "Invalid input for field/attribute severity. Value: 'high'. Value should be one of: ",
        ),
        (
            {"state": "okay"},
            "Invalid input for field/attribute state. Value: 'okay'. Value should be one of: ",
        ),
        ({"name": 5}, "Invalid input for field/attribute name. Value: '5'. Not a valid string."),
        (
            {"enabled": "perhaps"},
            "Invalid input for field/attribute enabled. Value: 'perhaps'. Not a valid boolean.",
        ),
        ({"event_rule": []}, "Invalid input for field/attribute event_rule. Value: '[]'."),
        ({"alarm_actions": ["ftp://u:s@x"]}, "Unsupported action ftp://u:***@x"),
        (
            {"time_constraints": [{**CONSTRAINT, "timezone": "No/Where"}]},
            "Timezone No/Where is not valid",
        ),
        ({"time_constraints": [{**CONSTRAINT, "start": "bad"}]}, "'bad' is not a cron expression"),
        (
            {"time_constraints": [{**CONSTRAINT, "duration": -1}]},
            "Invalid input for field/attribute duration. Value: '-1'. Value should be greater or "
            "equal to 0",
        ),
        (
            {"time_constraints": [CONSTRAINT, CONSTRAINT]},
            "Time constraint names must be unique for a given alarm.",
        ),
        (
            {"type": "gnocchi_resources_threshold"},
            "Alarms of type gnocchi_resources_threshold need a metrics database. Supported types:",
        ),
        ({"project_id": "x" * 300}, "project_id must be at most 255 characters"),
    ],
)
def test_what_is_wrong_with_an_alarm_is_said_in_aodhs_words(
    aodh: Aodh, store: SqlStore, changes: dict[str, Any], text: str
) -> None:
    """alarms 2 to 4, 6 to 8"""
    answer = aodh.post("/v2/alarms", json={**EVENT, **changes})
    assert answer.status_code == 400
    assert said(answer).startswith(text)
    assert store.search() == []


def test_conditions_may_be_of_times(aodh: Aodh) -> None:
    """alarms 3: better."""
    condition = {"field": "generated", "op": "ge", "type": "datetime", "value": "2026-01-01"}
    made = aodh.made(event_rule={"query": [condition]})
    assert made["event_rule"]["query"] == [condition]


def test_actions_are_bounded_and_told_once(aodh: Aodh) -> None:
    """alarms 8"""
    aodh.application.alarm_settings = replace(AlarmsSettings(), max_actions=1)
    one, two = "https://a.example", "https://b.example"
    assert aodh.made(ok_actions=[one, one])["ok_actions"] == [one]
    answer = aodh.post("/v2/alarms", json={**EVENT, "ok_actions": [one, two]})
    assert said(answer) == "ok_actions count exceeds maximum value 1"
    made = aodh.made()
    late = aodh.put(f"/v2/alarms/{made['alarm_id']}", json={**made, "ok_actions": [one, two]})
    assert late.status_code == 400


class TestList:
    """alarms 19, 20"""

    def names(self, aodh: Aodh, query: str, **more: Any) -> list[str]:
        answer = aodh.get(f"/v2/alarms?{query}", **more)
        assert answer.status_code == 200, answer.text
        return [alarm["name"] for alarm in answer.json]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("", {"mine", "off"}),
            ("q.field=all_projects&q.op=eq&q.value=true", {"mine", "off", "theirs"}),
            ("q.field=all_projects&q.value=false", {"mine", "off"}),
            ("q.field=project_id&q.op=eq&q.value=p-2", {"theirs"}),
            ("q.field=enabled&q.value=False", {"off"}),
            ("q.field=enabled&q.value=0&q.type=integer", {"off"}),
            ("q.field=name&q.op=eq&q.value=mine&q.field=state&q.op=eq&q.value=ok", set()),
            ("q.field=severity&q.value=high", set()),
            ("q.field=user_id&q.value=u-1&q.field=type&q.value=event", {"mine", "off"}),
            ("limit=0", {"mine", "off"}),
        ],
    )
    def test_a_simple_query_chooses(self, aodh: Aodh, query: str, names: set[str]) -> None:
        aodh.made(name="mine")
        aodh.made(name="off", enabled=False)
        aodh.made(name="theirs", project_id="p-2")
        assert set(self.names(aodh, query)) == names

    def test_severities_are_sorted_by_their_rank_and_pages_follow_each_other(
        self, aodh: Aodh
    ) -> None:
        for severity in ("moderate", "critical", "low"):
            aodh.made(name=severity, severity=severity)
        assert self.names(aodh, "sort=severity") == ["low", "moderate", "critical"]
        assert self.names(aodh, "") == ["low", "critical", "moderate"]
        (first,) = aodh.get("/v2/alarms?sort=severity:desc&limit=1").json
        rest = self.names(aodh, f"sort=severity:desc&marker={first['alarm_id']}")
        assert [first["name"], *rest] == ["critical", "moderate", "low"]

    @pytest.mark.parametrize(
        ("query", "text"),
        [
            ("q.field=name&q.op=ne&q.value=a", "Value: '{'ne'}'. only operations {'eq'} are"),
            ("q.field=nam&q.value=a", "attribute field. Value: '{'nam'}'. only fields {"),
            ("q.field=name&q.op=eq", "attribute value. Value: 'None'. Mandatory field missing."),
            ("q.value=a", "attribute field. Value: 'None'. Mandatory field missing."),
            ("q.field=name&q.value=a&q.type=bogus", "The data type bogus is not supported. The"),
            ("q.field=name&q.value=a&q.type=integer", "Unable to convert the value a to the exp"),
            ("q.field=enabled&q.value=maybe", "Unable to convert the value maybe to the expect"),
            ("q.field=timestamp&q.value=noon", "Unable to convert the value noon to the expect"),
            ("foo=bar", 'Unknown argument: "foo"'),
            ("limit=-1", "attribute limit. Value: '-1'. it should be a positive integer."),
            ("limit=x", "attribute limit. Value: 'x'. unable to convert to int. Error: invalid"),
            ("limit=1&limit=2", "attribute limit. Value: '['1', '2']'."),
            ("sort=foo", "the supported sort keys are: ('alarm_id', 'enabled', 'name',"),
            ("sort=name:up", "attribute sort. Value: 'name:up'."),
            ("marker=nobody", "marker: Alarm nobody not found"),
        ],
    )
    def test_a_query_that_makes_no_sense_is_refused(
        self, aodh: Aodh, query: str, text: str
    ) -> None:
        answer = aodh.get(f"/v2/alarms?{query}")
        assert answer.status_code == 400
        assert text in said(answer)


class TestRoles:
    """alarms 8, 24: admin, member and reader, as Aodh's policies have them."""

    def test_a_reader_looks_and_changes_nothing(self, aodh: Aodh) -> None:
        path = f"/v2/alarms/{aodh.made()['alarm_id']}"
        assert aodh.get(path, role="reader").status_code == 200
        assert aodh.get("/v2/alarms", role="reader").status_code == 200
        for method, where, body in (
            ("POST", "/v2/alarms", EVENT),
            ("PUT", path, EVENT),
            ("DELETE", path, None),
            ("PUT", f"{path}/state", "ok"),
        ):
            answer = aodh.ask(method, where, role="reader", json=body)
            assert (answer.status_code, said(answer)) == (403, UNAUTHORIZED)

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"project_id": "p-2"}, "Not Authorized to access project p-2"),
            ({"user_id": "u-2"}, "Not Authorized to access user u-2"),
            ({"alarm_actions": ["log://"]}, "You are not authorized to create action: log://"),
            ({"ok_actions": ["test://"]}, "You are not authorized to create action: test://"),
            ({"ok_actions": ["target:ci"]}, "You are not authorized to create action: target:ci"),
        ],
    )
    def test_a_member_reaches_no_further_than_their_own(
        self, aodh: Aodh, store: SqlStore, fields: dict[str, Any], text: str
    ) -> None:
        answer = aodh.post("/v2/alarms", role="member,reader", json={**EVENT, **fields})
        assert (answer.status_code, said(answer)) == (401, text)
        assert store.search() == []

    def test_a_member_sees_other_projects_not_at_all(self, aodh: Aodh) -> None:
        path = f"/v2/alarms/{aodh.made(project_id='p-2')['alarm_id']}"
        for method, where, body in (
            ("GET", path, None),
            ("PUT", path, EVENT),
            ("DELETE", path, None),
            ("GET", f"{path}/state", None),
            ("PUT", f"{path}/state", "ok"),
            ("GET", f"{path}/history", None),
        ):
            answer = aodh.ask(method, where, role="member", json=body)
            assert answer.status_code == 404
            assert said(answer).endswith("not found")
        theirs = "/v2/alarms?q.field=project_id&q.op=eq&q.value=p-2"
        answer = aodh.get(theirs, role="member")
        assert (answer.status_code, said(answer)) == (401, "Not Authorized to access project p-2")
        answer = aodh.get("/v2/alarms?q.field=all_projects&q.value=true", role="member")
        assert (answer.status_code, said(answer)) == (403, UNAUTHORIZED)

    def test_what_a_member_puts_is_theirs(self, aodh: Aodh) -> None:
        path = f"/v2/alarms/{aodh.made(user_id='u-9')['alarm_id']}"
        body = {**EVENT, "project_id": "p-9", "user_id": "u-9"}
        changed: Any = aodh.put(path, role="member", user="u-2", json=body).json
        assert (changed["project_id"], changed["user_id"]) == ("p-1", "u-2")

    def test_an_admin_makes_alarms_for_others(self, aodh: Aodh, store: SqlStore) -> None:
        made = aodh.made(project_id="p-2", user_id="u-2", alarm_actions=["log://"])
        assert (made["project_id"], made["user_id"]) == ("p-2", "u-2")
        assert not store.get(made["alarm_id"]).guarded

    def test_other_roles_may_do_nothing(self, aodh: Aodh) -> None:
        answer = aodh.get("/v2/alarms", role="stranger")
        assert (answer.status_code, said(answer)) == (403, UNAUTHORIZED)

    def test_headers_may_be_in_lower_case(self, aodh: Aodh) -> None:
        answer = aodh.app.test_client().get("/v2/alarms", headers={"x-roles": "stranger"})
        assert answer.status_code == 403


def test_an_alarm_may_become_composite_and_follows_states_that_are_put(aodh: Aodh) -> None:
    """alarms 5: better."""
    leaf = aodh.made(name="leaf")
    made = aodh.made(name="both")
    path = f"/v2/alarms/{made['alarm_id']}"
    rule = {"or": [{"alarm": leaf["alarm_id"]}]}
    answer = aodh.put(path, json={"name": "both", "type": "composite", "composite_rule": rule})
    assert (answer.status_code, answer.json["type"]) == (200, "composite")
    assert "event_rule" not in answer.json
    aodh.put(f"/v2/alarms/{leaf['alarm_id']}", json={**leaf, "state": "alarm"})
    assert aodh.get(f"{path}/state").json == "alarm"
    gone = aodh.delete(f"/v2/alarms/{leaf['alarm_id']}")
    assert (gone.status_code, "both" in said(gone)) == (409, True)
