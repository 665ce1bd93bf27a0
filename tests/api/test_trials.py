"""/v1/alarms/…/explain and /v1/alarms/test: alarms tried out, and on whose events."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.access import Role
from pipeline.alarms.alarm import State, TimeConstraint
from pipeline.api.v1 import trial_schemas, trials
from pipeline.api.v1.trial_schemas import ExplanationOut, TrialOut
from pipeline.event import Event
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import (
    NOON,
    a_caller,
    a_composite,
    a_condition,
    a_rule,
    an_alarm,
    an_event,
    any_of,
)
from store.storing import fire

DATA = Path(__file__).parents[1] / "data"
FAILED = a_rule("identity.authenticate", a_condition("traits.outcome", "failure"))
OF_P1: dict[str, Any] = {"role": Role.AUDIT, "project_id": "p-1", "projects": frozenset({"p-1"})}
RULE = FAILED.as_dict()


def a_login(outcome: str = "failure", minutes: int = 0, **traits: Any) -> Event:
    at = NOON + timedelta(minutes=minutes)
    return an_event(event_type="identity.authenticate", generated=at, outcome=outcome, **traits)


def trial(api: Api, status: int = 200, by: Any = None, **body: Any) -> Any:
    body = {"alarms": [{"name": "a", "event_rule": RULE}], **body}
    answer = api.post("/v1/alarms/test", json=body, **({"by": by} if by else {}))
    assert answer.status_code == status, answer.json
    return answer.json


class TestExplain:
    """Why an alarm fires on an event, or why it does not."""

    def test_an_event_of_the_archive_is_explained(self, api: Api, store: SqlStore) -> None:
        alarm = store.create(an_alarm(name="failed", rule=FAILED, all_projects=True))
        event = a_login("success")
        store.keep_events([event])
        answer = api.post("/v1/alarms/failed/explain", json={"event": event.message_id[:8]})
        assert (answer.status_code, answer.json["fires"]) == (200, False)
        assert answer.json["verdict"] == "does not fire: traits.outcome = failure"
        assert answer.json["alarm_id"] == alarm.alarm_id
        assert answer.json["fired_at"] is None
        assert ExplanationOut().validate(answer.json) == {}

    def test_a_composite_alarm_is_explained_leaf_by_leaf(self, api: Api, store: SqlStore) -> None:
        """alarms 5"""
        other = store.create(an_alarm(name="other", state=State.OK, all_projects=True))
        rule = any_of(FAILED, other)
        store.create(a_composite(rule, name="both", all_projects=True))
        found = api.post("/v1/alarms/both/explain", json={"message": a_login().as_dict()}).json
        assert ExplanationOut().validate(found) == {}
        assert (found["form"], found["verdict"]) == (
            "(rule1 or rule2)",
            "fires: insufficient data → alarm",
        )
        assert [each["found"] for each in found["checks"] if each["check"] == "leaf"] == [
            "alarm",
            "ok",
        ]

    def test_it_is_told_when_the_event_fired_the_alarm(self, api: Api, store: SqlStore) -> None:
        alarm = store.create(an_alarm(rule=FAILED, all_projects=True))
        event = a_login()
        fire(store, alarm, event)
        path = f"/v1/alarms/{alarm.alarm_id}/explain"
        found = api.post(path, json={"message": event.as_dict()}).json
        assert (found["fires"], found["fired_at"]) == (False, "2026-01-02T12:00:00")
        assert found["verdict"] == "matches and stays silent: it is in state alarm already"

    @pytest.mark.parametrize("way", ["message", "file"])
    def test_what_was_captured_may_be_brought_along(
        self, api: Api, store: SqlStore, way: str
    ) -> None:
        rule = a_rule("identity.domain.created")
        store.create(an_alarm(name="domain", rule=rule, all_projects=True))
        with (DATA / "keystone-cadf.jsonl").open() as lines:
            text = next(lines)
        given = json.loads(text) if way == "message" else {"name": "a.jsonl", "text": f"\n{text}"}
        found = api.post("/v1/alarms/domain/explain", json={way: given}).json
        assert found["verdict"] == "fires: insufficient data → alarm"
        assert found["message_id"] == "4fd53957-38d6-4ed4-9d7d-05924e45b7a2"

    def test_it_is_said_for_when_the_event_was_generated_or_another_time(
        self, api: Api, store: SqlStore
    ) -> None:
        noon = TimeConstraint("noon", "0 12 * * *", 3600)
        rule = a_rule("identity.authenticate")
        store.create(an_alarm(name="a", rule=rule, time_constraints=(noon,), all_projects=True))
        event = a_login().as_dict()
        assert api.post("/v1/alarms/a/explain", json={"message": event}).json["fires"]
        late = {"message": event, "at": "2026-01-02T15:00:00+01:00"}
        found = api.post("/v1/alarms/a/explain", json=late).json
        assert (found["fires"], found["at"]) == (False, "2026-01-02T14:00:00")

    @pytest.mark.parametrize(
        ("body", "status", "said"),
        [
            ({}, 400, "one of event, message, file is needed."),
            ({"event": "a", "message": {}}, 400, "give one of event, message, file"),
            ({"event": "gone"}, 404, "Event gone is not in the archive"),
            ({"message": {"a": 1}}, 400, "message: there is no event in it: "),
            ({"file": {"name": "f.jsonl", "text": "x"}}, 400, "f.jsonl: there is no event in it"),
            ({"file": {"text": "\ud800"}}, 400, "file: it is no text in UTF-8."),
            ({"event": "a", "at": "noon"}, 400, "at: Not a valid datetime."),
            ({"event": "a", "at": "2026-01-02T12:00:00"}, 400, "at: "),
            ({"evnt": {}}, 400, "Unknown attribute: evnt. Did you mean 'event'?"),
        ],
    )
    def test_what_makes_no_sense_is_a_problem(
        self, api: Api, store: SqlStore, body: dict[str, Any], status: int, said: str
    ) -> None:
        store.create(an_alarm(name="a"))
        answer = api.post("/v1/alarms/a/explain", json=body)
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
        assert said in answer.json["detail"]

    def test_others_alarms_and_events_are_not_there(self, api: Api, store: SqlStore) -> None:
        """alarms 9, notifications 14"""
        caller = a_caller(**OF_P1)
        for project in ("p-1", "p-2"):
            store.create(an_alarm(name=project, project_id=project, rule=FAILED))
        mine, theirs, nobodys = (
            a_login(project_id="p-1"), a_login(project_id="p-2"), a_login()
        )  # fmt: skip
        store.keep_events([mine, theirs, nobodys])

        def ask(alarm: str, **body: Any) -> int:
            answer = api.post(f"/v1/alarms/{alarm}/explain", json=body, by=caller)
            return answer.status_code

        assert ask("p-1", event=mine.message_id) == 200
        assert ask("p-2", event=mine.message_id) == 404
        assert ask("p-1", event=theirs.message_id) == 404
        assert ask("p-1", event=nobodys.message_id) == 404
        assert ask("p-1", message=theirs.as_dict()) == 200


class TestTest:
    """On which events alarms would have fired."""

    def test_alarms_are_tried_on_the_archive_and_nothing_is_made(
        self, api: Api, store: SqlStore
    ) -> None:
        store.keep_events(
            [a_login(minutes=-2), a_login("success", -1), a_login(minutes=-3), an_event()]
        )
        found = trial(api, since="2026-01-02T11:57:30Z")
        assert TrialOut().validate(found) == {}
        assert (found["events"], found["stopped_at"]) == (2, None)
        (result,) = found["alarms"]
        assert (result["of_type"], result["matches"], result["firings"]) == (2, 1, 1)
        assert result["newest"][0]["generated"] == "2026-01-02T11:58:00"
        assert trial(api, until="2026-01-02T11:57:30Z")["alarms"][0]["matches"] == 1
        assert store.counts().alarms == 0

    def test_the_first_of_what_was_generated_fires(self, api: Api, store: SqlStore) -> None:
        """alarms 11: in the order of time, not of arrival."""
        store.keep_events([a_login(minutes=-1), a_login(minutes=-2)])
        (result,) = trial(api)["alarms"]
        assert [(m["generated"][-8:], m["fires"]) for m in result["newest"]] == [
            ("11:59:00", False),
            ("11:58:00", True),
        ]

    def test_events_may_be_brought_along(self, api: Api) -> None:
        lines = (DATA / "keystone-cadf.jsonl").read_text().splitlines()[:3]
        events = [a_login().as_dict(), lines[0], json.loads(lines[1]), "no event", ""]
        found = trial(api, events=events)
        assert (found["events"], found["rejected"], found["alarms"][0]["matches"]) == (3, 1, 1)
        (rejection,) = found["rejections"]
        assert rejection["line"] == 4
        assert rejection["reason"]

    def test_more_than_are_looked_at_is_said(
        self, api: Api, store: SqlStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(trials, "MOST_EVENTS", 2)
        store.keep_events([a_login(minutes=-n) for n in (1, 2, 3)])
        found = trial(api)
        assert (found["events"], found["stopped_at"]) == (2, "2026-01-02T11:58:00")
        assert trial(api, since="2026-01-02T11:58:00Z")["stopped_at"] is None

    def test_composite_alarms_mean_each_other_and_those_that_are_there(
        self, api: Api, store: SqlStore
    ) -> None:
        """alarms 5"""
        store.create(an_alarm(name="there", state=State.ALARM))
        leaves = [{"alarm": "failed"}, {"alarm": "there"}]
        composite = {"name": "both", "type": "composite", "composite_rule": {"and": leaves}}
        failed = {"name": "failed", "event_rule": RULE}
        found = trial(api, alarms=[composite, failed], events=[a_login().as_dict()])
        assert [each["firings"] for each in found["alarms"]] == [1, 1]
        said = trial(api, 400, alarms=[composite], events=[])["detail"]
        assert "there is no alarm 'failed'" in said

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"alarms": []}, "alarms: "),
            ({"alarms": [{"name": "a", "severity": "high"}]}, "severity: "),
            ({"alarms": [{}] * (trial_schemas.MOST_AT_ONCE + 1)}, "alarms: "),
            ({"newest": 1001}, "newest: "),
            ({"events": [], "since": "2026-01-02T12:00:00Z"}, "go without since and until"),
            ({"events": ["\ud800"]}, "events: one of the texts is none in UTF-8."),
        ],
    )
    def test_what_makes_no_sense_is_a_problem(
        self, api: Api, body: dict[str, Any], said: str
    ) -> None:
        assert said in trial(api, 400, **body)["detail"]

    def test_whoever_is_held_to_projects_meets_their_events_alone(
        self, api: Api, store: SqlStore
    ) -> None:
        """alarms 9, notifications 14: nor is told which types of events others have."""
        store.keep_events([a_login(minutes=-1, project_id=p) for p in ("p-1", "p-2")])
        caller = a_caller(**OF_P1)
        every = {"name": "a", "event_rule": RULE, "all_projects": True}
        for alarm in ({"name": "a", "event_rule": RULE}, every):
            found = trial(api, by=caller, alarms=[alarm])
            assert (found["events"], found["alarms"][0]["of_type"]) == (1, 1)
        rule = {"event_type": "identity.authentcate"}
        (result,) = trial(api, by=caller, alarms=[{"name": "a", "event_rule": rule}])["alarms"]
        assert result["silent"] == "There was no event of type identity.authentcate."
        (known,) = trial(api, alarms=[{"name": "a", "event_rule": rule}])["alarms"]
        assert "Did you mean 'identity.authenticate'?" in known["silent"]
        other = {"name": "a", "event_rule": RULE, "project_id": "p-2"}
        assert trial(api, 403, by=caller, alarms=[other])["detail"].startswith("project 'p-2'")

    def test_an_alarm_may_still_be_named_test(self, api: Api, store: SqlStore) -> None:
        alarm = store.create(an_alarm(name="test", state=State.OK))
        assert api.get("/v1/alarms/test").json["alarm_id"] == alarm.alarm_id
