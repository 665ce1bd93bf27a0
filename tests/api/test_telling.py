"""/v1: targets tried, routes explained, words shown, what is sent and applied; and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.access import Role
from pipeline.alarms.alarm import Severity
from pipeline.dispatch import FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.store.routing import Create
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import NOON, a_caller, a_rule, a_transition, an_alarm, an_event

MANAGE, AUDIT = a_caller(role=Role.MANAGE), a_caller(role=Role.AUDIT)
OF_P1 = a_caller(project_id="p-1", projects=frozenset({"p-1"}), names=frozenset())
WITH_ONE = a_caller(names=frozenset({"one", "grave"}))


@pytest.fixture
def store(sqlite_url: str, tmp_path: Path) -> Iterator[SqlStore]:
    sealer = KeyFileSealer(KeyFile(tmp_path / "secrets.key"))
    settings = DatabaseSettings(url=sqlite_url)
    with SqlStore.open(settings, clock=lambda: NOON, sealer=sealer) as store:
        store.change_entries(
            [
                Create(FilterEntry("grave", "error")),
                Create(TargetEntry("one", "log")),
                Create(TargetEntry("two", "log")),
                Create(TargetEntry("phone", "gotify", {"server": "https://g"}, {"token": "s3"})),
                Create(GroupEntry("ones", ("one",), filter="grave")),
                Create(GroupEntry("both", ("one", "two"))),
                Create(MatcherEntry("to-two", ("two",), match_field=("exact:host=a",))),
            ]
        )
        yield store


def names(answer: Any, what: str) -> list[str]:
    (told,) = answer.json["notifications"]
    return [each["name"] for each in told[what]]


class TestTargets:
    """notifications 11, 13, 14."""

    def test_types_and_options_are_listed(self, api: Api) -> None:
        types = [each["type"] for each in api.get("/v1/target-types").json["items"]]
        assert {"gotify", "webhook"} <= set(types)
        options = api.get("/v1/target-types/gotify/options").json["items"]
        assert {"option": "token", "holds": "a text", "needed": True, "secret": True} in options
        assert api.get("/v1/target-types/gotfy/options").status_code == 400

    def test_a_target_is_tried_by_whoever_may_use_it(self, api: Api) -> None:
        tried = api.post("/v1/targets/one/test", json={}, by=MANAGE)
        assert (tried.status_code, tried.json["outcome"]) == (200, "delivered")
        assert api.post("/v1/targets/one/test", json={}, by=AUDIT).status_code == 403
        assert api.post("/v1/targets/one/test", json={}, by=WITH_ONE).status_code == 200
        assert api.post("/v1/targets/two/test", json={}, by=WITH_ONE).status_code == 404
        assert api.post("/v1/targets/gone/test", json={}).status_code == 404

    def test_why_it_was_not_taken_comes_back(self, api: Api, store: SqlStore) -> None:
        store.change_entries([Create(TargetEntry("hook", "aodh", {"url": "http://127.0.0.1:9/"}))])
        tried = api.post("/v1/targets/hook/test", json={}).json
        assert tried["outcome"] == "failed"
        assert "cannot connect to http://127.0.0.1:9" in tried["reason"]

    def test_it_is_told_of_what_is_sent_along(self, api: Api) -> None:
        event = an_event(message_id="m-1").as_dict()
        path = "/v1/targets/one/test"
        assert api.post(path, json={"message": event}).status_code == 200
        none = api.post(path, json={"message": {"x": 1}})
        assert (none.status_code, "there is no event in it" in none.json["detail"]) == (400, True)
        both = api.post(path, json={"message": event, "event": "m-1"})
        assert "give one of event, message, file" in both.json["detail"]

    def test_no_file_of_the_server_is_read(self, api: Api, tmp_path: Path) -> None:
        (tmp_path / "event.json").write_text("{}")
        answer = api.post("/v1/targets/one/test", json={"event": str(tmp_path / "event.json")})
        assert answer.status_code == 404

    def test_receivers_are_enabled_by_who_is_held_to_nothing(self, api: Api) -> None:
        path, body = "/v1/receivers/enable", {"receiver": "https://u:p@h.example"}
        enabled = api.post(path, json=body, by=MANAGE)
        assert enabled.json == {"receiver": "https://u:***@h.example", "enabled": False}
        for caller in (AUDIT, OF_P1, WITH_ONE):
            assert api.post(path, json=body, by=caller).status_code == 403
        assert api.post(path, json={"receiver": "one"}, by=WITH_ONE).status_code == 200
        assert api.post(path, json={"receiver": "target:two"}, by=WITH_ONE).status_code == 404
        assert api.post("/v1/targets/two/enable", by=WITH_ONE).status_code == 404


class TestRoutes:
    """notifications 8, 13."""

    @pytest.fixture(autouse=True)
    def alarms(self, store: SqlStore) -> None:
        for number, project in enumerate(("p-1", "p-2")):
            store.create(
                an_alarm(
                    alarm_id=f"a-{number}",
                    name=f"of {project}",
                    rule=a_rule("disk.*"),
                    project_id=project,
                    all_projects=True,
                    severity=Severity.CRITICAL,
                    alarm_actions=("target:one",),
                )
            )
        event = an_event(message_id="e-1", event_type="disk.full", host="a", project_id="p-2")
        store.keep_events([event])
        with store.begin() as transaction:
            transaction.save_transitions([a_transition(store.get("a-1"), event)])

    def test_all_is_explained_to_who_is_held_to_nothing(self, api: Api) -> None:
        found = api.post("/v1/routes/explain", json={"event": "e-1"}).json["notifications"]
        assert [each["alarm"] for each in found] == ["of p-1", "of p-2"]
        takes = {each["name"]: each["takes"] for each in found[0]["targets"]}
        assert takes["target:one"]
        assert takes["target:two"]

    def test_others_see_their_projects_and_names_alone(self, api: Api, store: SqlStore) -> None:
        path = "/v1/routes/explain"
        assert api.post(path, json={"event": "e-1"}, by=OF_P1).status_code == 404
        (record,) = store.deliveries()[:1]
        of_p2 = {"event": record.delivery_id}
        assert api.post(path, json=of_p2, by=OF_P1).status_code == 404
        sent = {"message": an_event(event_type="disk.full", host="a").as_dict()}
        found = api.post(path, json=sent, by=OF_P1)
        assert [each["alarm"] for each in found.json["notifications"]] == ["of p-1"]
        assert names(found, "matchers") == names(found, "targets") == []
        asked = api.post(path, json={**sent, "alarm": "of p-2"}, by=WITH_ONE)
        assert names(asked, "targets") == ["target:one"]
        assert api.post(path, json={**sent, "alarm": "of p-2"}, by=OF_P1).status_code == 404

    def test_something_has_to_be_said(self, api: Api) -> None:
        answer = api.post("/v1/routes/explain", json={})
        assert answer.json["errors"][0]["field"] == "event"

    def test_fields_and_values_are_learnt_from_what_passed(self, api: Api) -> None:
        fields = {each["name"] for each in api.get("/v1/matcher-fields").json["items"]}
        assert {"kind", "severity", "alarm_name", "traits.host", "host", "job"} <= fields
        values = api.get("/v1/matcher-field-values?field=host").json["items"]
        assert values == [{"field": "host", "value": "a", "comment": ""}]
        of = api.get("/v1/matcher-field-values").json["items"]
        assert {"field": "alarm_name", "value": "of p-2", "comment": ""} in of
        assert "backup" in {each["value"] for each in of if each["field"] == "kind"}
        assert not [each for each in of if each["field"] == "message_id"]

    def test_values_are_those_of_ones_projects(self, api: Api) -> None:
        values = api.get("/v1/matcher-field-values?field=host", by=OF_P1).json["items"]
        assert values == []


class TestNotifications:
    """notifications 14 to 19."""

    def test_kinds_and_templates_are_listed(self, api: Api) -> None:
        kinds = api.get("/v1/kinds", by=AUDIT).json["items"]
        assert api.get("/v1/kinds/backup").json in kinds
        shown = {each["kind"]: each for each in api.get("/v1/templates").json["items"]}
        assert shown["backup"]["text"] == "shipped"
        assert api.get("/v1/kinds/bakup").status_code == 404

    def test_a_notification_is_shown_in_each_form(self, api: Api) -> None:
        for format, part in (("text", "New"), ("html", "<html"), ("markdown", "New")):
            sent = {"kind": "maintenance", "fields": {"summary": "New"}, "format": format}
            shown = api.post("/v1/templates/preview", json=sent, by=AUDIT).json
            assert part in shown["body"]
            assert shown["failures"] == []

    def test_values_that_are_no_texts_are_taken_as_they_are(self, api: Api) -> None:
        fields = {"job": "n", "status": "ok", "size": 12, "duration": 3.5}
        sent = {"kind": "backup", "fields": fields, "targets": ["one"]}
        assert api.post("/v1/notifications", json=sent).json["actions"] == ["target:one"]
        sent["fields"] = {**fields, "size": [1]}
        assert "size: expects" in api.post("/v1/notifications", json=sent).json["detail"]

    @pytest.mark.parametrize(
        ("to", "status"),
        [(["one"], 200), (["ones"], 200), (["two"], 403), (["both"], 403), ([], 403)],
    )
    def test_it_takes_the_use_of_each_that_is_told(
        self, api: Api, store: SqlStore, to: list[str], status: int
    ) -> None:
        caller = a_caller(names=frozenset({"one", "ones", "both", "grave"}), role=Role.MANAGE)
        sent = {"kind": "message", "severity": "error", "fields": {"text": "x"}, "targets": to}
        assert api.post("/v1/notifications", json=sent, by=caller).status_code == status
        assert len(store.deliveries()) == (status == 200)
        assert api.post("/v1/notifications", json=sent, by=AUDIT).status_code == 403


class TestAsCode:
    """Files: all of it or nothing, item by item as one may."""

    def test_problems_have_their_places(self, api: Api) -> None:
        text = "targets:\n- {name: x1, type: gotfy}\n"
        sent = {"files": [{"name": "a.yaml", "text": text}], "items": [{"filter": {"name": "f1"}}]}
        answer = api.post("/v1/apply", json=sent)
        assert answer.status_code == 400
        first, second = answer.json["errors"]
        assert (first["file"], first["line"], first["column"]) == ("a.yaml", 2, 20)
        assert first["field"] == "targets[0].type"
        assert (second["field"], second["file"]) == ("items.0.filter.min-severity", "")

    def test_what_is_exported_can_be_applied(self, api: Api) -> None:
        exported = api.get("/v1/export", by=AUDIT).json
        applied = api.post("/v1/apply", json=exported).json
        assert (applied["changes"], applied["unchanged"] > 5) == ([], True)

    def test_secrets_are_for_who_may_change_all(self, api: Api) -> None:
        assert "s3" not in str(api.get("/v1/export").json)
        assert "s3" in str(api.get("/v1/export?secrets=true").json)
        for caller in (AUDIT, MANAGE, OF_P1, a_caller(names=frozenset({"phone"}))):
            assert api.get("/v1/export?secrets=true", by=caller).status_code == 403

    def test_one_exports_what_is_ones_own(self, api: Api, store: SqlStore) -> None:
        store.create(an_alarm(name="mine", project_id="p-1"))
        store.create(an_alarm(name="theirs", project_id="p-2"))
        exported = str(api.get("/v1/export", by=OF_P1).json)
        assert "mine" in exported
        assert "theirs" not in exported
        assert "phone" not in exported

    @pytest.mark.parametrize(
        "item",
        [
            {"target": {"name": "two", "type": "log", "disable": True}},
            {"target": {"name": "new", "type": "log"}},
            {"alarm": {"name": "a", "project_id": "p-2", "event_rule": {}}},
            {"alarm": {"name": "a", "all_projects": True, "event_rule": {}}},
            {"alarm": {"name": "a", "event_rule": {}, "alarm_actions": ["target:two"]}},
            {"alarm": {"name": "a", "event_rule": {}, "alarm_actions": ["log://"]}},
        ],
    )
    def test_one_applies_what_is_ones_own(
        self, api: Api, store: SqlStore, item: dict[str, Any]
    ) -> None:
        caller = a_caller(project_id="p-1", projects=frozenset({"p-1"}), names=frozenset({"one"}))
        good = {"alarm": {"name": "good", "event_rule": {}, "alarm_actions": ["target:one"]}}
        for sent in ({"items": [good, item]}, {"items": [good, item], "dry_run": True}):
            assert api.post("/v1/apply", json=sent, by=caller).status_code == 403
        assert store.counts().alarms == 0
        applied = api.post("/v1/apply", json={"items": [good]}, by=caller).json
        assert [each["change"] for each in applied["changes"]] == ["create"]
        made = store.find("good")
        assert (made.project_id, made.all_projects, made.guarded) == ("p-1", False, True)

    def test_what_others_have_is_neither_compared_nor_taken(
        self, api: Api, store: SqlStore
    ) -> None:
        theirs = store.create(an_alarm(alarm_id="a-2", name="theirs", project_id="p-2"))
        item = {"alarm": {"alarm_id": "a-2", "name": "theirs", "event_rule": {}}}
        answer = api.post("/v1/apply", json={"items": [item]}, by=OF_P1)
        assert answer.status_code == 400
        assert "alarm_id" in answer.json["errors"][0]["field"]
        assert store.get("a-2") == theirs

    def test_an_alarm_stays_guarded_that_an_admin_applies_as_it_is(
        self, api: Api, store: SqlStore
    ) -> None:
        made = {"alarm": {"name": "a", "project_id": "p-1", "event_rule": {},
                          "alarm_actions": ["https://r.example"]}}  # fmt: skip
        assert api.post("/v1/apply", json={"items": [made]}, by=OF_P1).status_code == 200
        again = {"alarm": {**made["alarm"], "severity": "critical"}}
        assert api.post("/v1/apply", json={"items": [again]}).json["changes"]
        assert store.find("a").guarded
        told = {"alarm": {**again["alarm"], "alarm_actions": ["https://s.example"]}}
        api.post("/v1/apply", json={"items": [told]})
        assert not store.find("a").guarded

    def test_pruning_keeps_to_ones_own(self, api: Api, store: SqlStore) -> None:
        sent = {"items": [{"target": {"name": "old", "type": "log"}}], "set": "s"}
        assert api.post("/v1/apply", json=sent).status_code == 200
        pruned = {"items": [], "set": "s", "prune": True}
        assert api.post("/v1/apply", json=pruned, by=WITH_ONE).status_code == 403
        assert store.entry("old")
        assert api.post("/v1/apply", json=pruned, by=AUDIT).status_code == 403

    def test_the_history_says_who_applied(self, api: Api) -> None:
        sent = {"items": [{"alarm": {"name": "a", "event_rule": {}}}]}
        api.post("/v1/apply", json=sent, by=a_caller("u-7"))
        made = api.get("/v1/alarms/a").json
        (line,) = api.get(f"/v1/alarms/{made['alarm_id']}/history").json["items"]
        assert line["user_id"] == "u-7"


@pytest.mark.parametrize(
    "text",
    ['{"alarms": ' + "[" * 100_000 + "]" * 100_000 + "}", '{"name": NaN}', "[", '{"a": 1e999x}'],
)
def test_what_no_parser_bears_is_refused(api: Api, text: str) -> None:
    answer = api.post("/v1/alarms", data=text, content_type="application/json")
    assert (answer.status_code, "the body is no JSON" in answer.json["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/targets", '{"name": "xx", "type": "log", "x": %s}'),
        ("/v1/apply", '{"items": [{"target": {"name": "xx", "type": "webhook", "url": %s}}]}'),
        ("/v1/notifications", '{"kind": "test", "fields": {"x": %s}}'),
    ],
)
def test_what_is_nested_very_deep_is_refused(api: Api, path: str, body: str) -> None:
    for depth in (110, 500, 900):
        sent = body % ("[" * depth + "]" * depth)
        answer = api.post(path, data=sent, content_type="application/json")
        assert (answer.status_code, "100 deep" in answer.json["detail"]) == (400, True)
    sent = body % ("[" * 90 + "]" * 90)
    assert api.post(path, data=sent, content_type="application/json").status_code in (200, 400)


@pytest.mark.parametrize("tag", ['W/"1"', f'"{"9" * 5_000}"', '"²"', '"x"'])
def test_a_tag_that_no_revision_has_matches_none(api: Api, tag: str) -> None:
    api.post("/v1/alarms", json={"name": "a"})
    for path in ("/v1/alarms/a", "/v1/targets/one"):
        answer = api.patch(path, json={"disable": True}, headers={"If-Match": tag})
        assert answer.status_code in (400, 412), path
    assert api.delete("/v1/targets/phone", headers={"If-Match": tag}).status_code == 412
