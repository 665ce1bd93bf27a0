"""/v1/deliveries, dead-letters, rejected-events, publications, events, status: their documents,
who may ask for them, and whose they are."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from marshmallow import Schema

from pipeline.access import Role
from pipeline.api.v1 import kept_schemas as schemas
from pipeline.api.v1.schemas import page_of
from pipeline.notification import Attempt, Refused
from pipeline.retry import DeadLetter
from pipeline.store.base import Publication, RejectedEvent
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import NOON, a_caller, a_transition, an_alarm, an_event, an_occurrence

HOOK = "https://u:s3cret@{}.example/hook?token=s3cret"
SINK = "https://u:s3cret@sink.example/e"
OF_P1 = a_caller(projects=frozenset({"p-1"}), names=frozenset())


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """Of each project, p-1 and p-2, an alarm with a dead letter, and an event; besides, a
    notification of no alarm, two rejected events, and a publication."""
    for project in ("p-1", "p-2"):
        alarm = an_alarm(alarm_id=f"a-{project}", project_id=project,
                         alarm_actions=[HOOK.format(project)])  # fmt: skip
        store.create(alarm)
        event = an_event(message_id=f"m-{project}", project_id=project, load=float("nan"))
        store.keep_events([event])
        with store.begin() as transaction:
            transaction.save_transitions([a_transition(alarm, event)])
    for delivery in store.claim(10, timedelta(minutes=1), NOON):
        attempt = Attempt(delivery.delivery_id, 1, NOON, 0.1, Refused("gone", 410, gone=True))
        store.finish([(delivery, attempt, DeadLetter("gone"))])
    with store.begin() as transaction:
        transaction.save_notification(an_occurrence(note="hello"), ["log://"])
        transaction.save_rejected(
            RejectedEvent(f"r-{n}", "no JSON", body, None, {"h": 1}, "http", NOON)
            for n, body in enumerate([b"text", b"\xff\x00"])
        )
        transaction.save_publications([Publication("pub-1", SINK, (an_event(),), "away")])
    return store


def delivery_of(store: SqlStore, alarm_id: str) -> str:
    (record,) = store.deliveries(alarm_id=alarm_id)
    return record.delivery_id


ANSWERS: list[tuple[str, type[Schema]]] = [
    ("/v1/deliveries", page_of(schemas.DeliveryOut, "A")),
    ("/v1/deliveries/{delivery}", schemas.WholeDeliveryOut),
    ("/v1/deliveries/{occurrence}", schemas.WholeDeliveryOut),
    ("/v1/deliveries/{delivery}/attempts", page_of(schemas.AttemptOut, "B")),
    ("/v1/dead-letters", page_of(schemas.DeliveryOut, "C")),
    ("/v1/dead-letters/{delivery}", schemas.WholeDeliveryOut),
    ("/v1/rejected-events", page_of(schemas.RejectedEventOut, "D")),
    ("/v1/rejected-events/r-0", schemas.WholeRejectedEventOut),
    ("/v1/publications", page_of(schemas.PublicationOut, "E")),
    ("/v1/publications/pub", schemas.WholePublicationOut),
    ("/v1/events", page_of(schemas.EventOut, "F")),
    ("/v1/events/m-p-1", schemas.ArchivedEventOut),
    ("/v1/event-types", page_of(schemas.EventTypeOut, "G")),
    ("/v1/event-traits?type=*", page_of(schemas.TraitOut, "H")),
    ("/v1/event-traits?type=*&name=project_id", page_of(schemas.TraitOut, "I")),
    ("/v1/status", schemas.StatusOut),
    ("/v1/status/recent", schemas.RecentOut),
    ("/v1/status/costly", page_of(schemas.CostlyOut, "J")),
]


@pytest.mark.parametrize(("path", "schema"), ANSWERS, ids=[path for path, _ in ANSWERS])
def test_answers_are_as_they_are_described_and_hold_no_secret(
    api: Api, filled: SqlStore, path: str, schema: type[Schema]
) -> None:
    (occurrence,) = (one for one in filled.deliveries() if not one.alarm_id)
    path = path.format(delivery=delivery_of(filled, "a-p-1"), occurrence=occurrence.delivery_id)
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    assert schema().validate(answer.json) == {}
    assert answer.json.get("items", True), "there is something to look at"
    assert "s3cret" not in answer.text
    assert "NaN," not in answer.text.replace('"NaN"', ""), "JSON has no NaN"


BODIES = [
    ("/v1/dead-letters/replay", {"all": True}, Role.MANAGE),
    ("/v1/dead-letters/purge", {"all": True}, Role.ADMIN),
    ("/v1/rejected-events/replay", {"ids": ["r-0"]}, Role.MANAGE),
    ("/v1/publications/replay", {"all": True}, Role.MANAGE),
    ("/v1/publications/purge", {"all": True}, Role.ADMIN),
]


@pytest.mark.parametrize(("path", "body", "least"), BODIES)
@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_what_it_may(
    api: Api, filled: SqlStore, path: str, body: dict[str, Any], least: Role, role: Role
) -> None:
    roles = list(Role)
    may = roles.index(role) >= roles.index(least)
    answer = api.post(path, json=body, by=a_caller(role=role))
    assert answer.status_code == (200 if may else 403)


OF_NO_PROJECT = [
    ("GET", "/v1/rejected-events"),
    ("GET", "/v1/rejected-events/r-0"),
    ("POST", "/v1/rejected-events/replay"),
    ("GET", "/v1/publications"),
    ("GET", "/v1/publications/pub-1"),
    ("POST", "/v1/publications/replay"),
    ("POST", "/v1/publications/purge"),
    ("GET", "/v1/status"),
    ("GET", "/v1/status/recent"),
    ("GET", "/v1/status/costly"),
]


@pytest.mark.parametrize(("method", "path"), OF_NO_PROJECT)
def test_what_belongs_to_no_project_is_not_for_who_is_held_to_some(
    api: Api, filled: SqlStore, method: str, path: str
) -> None:
    answer = api.ask(method, path, by=OF_P1, **({"json": {}} if method == "POST" else {}))
    assert answer.status_code == 403
    assert "you are held to project p-1" in answer.json["detail"]


class TestProjects:
    """notifications 14: who is held to projects."""

    def test_they_see_the_deliveries_of_their_alarms(self, api: Api, filled: SqlStore) -> None:
        for path in ("/v1/deliveries", "/v1/dead-letters", "/v1/deliveries?event=m-p-1"):
            found = api.get(path, by=OF_P1).json["items"]
            assert [one["alarm_id"] for one in found] == ["a-p-1"]
        of_others = delivery_of(filled, "a-p-2")
        for path in (
            f"/v1/deliveries/{of_others}",
            f"/v1/deliveries/{of_others}/attempts",
            f"/v1/dead-letters/{of_others}",
            "/v1/deliveries?alarm=a-p-2",
        ):
            assert api.get(path, by=OF_P1).status_code == 404, path
        assert api.get(f"/v1/deliveries?marker={of_others}", by=OF_P1).status_code == 400

    @pytest.mark.parametrize("verb", ["replay", "purge"])
    def test_they_treat_their_dead_letters_alone(
        self, api: Api, filled: SqlStore, verb: str
    ) -> None:
        path = f"/v1/dead-letters/{verb}"
        of_others = {"ids": [delivery_of(filled, "a-p-1"), delivery_of(filled, "a-p-2")]}
        assert api.post(path, json=of_others, by=OF_P1).status_code == 404
        assert len(filled.deliveries(state="dead")) == 2
        assert api.post(path, json={"all": True}, by=OF_P1).json == {"count": 1}
        (left,) = filled.deliveries(state="dead")
        assert left.alarm_id == "a-p-2"

    def test_they_see_their_events(self, api: Api, filled: SqlStore) -> None:
        found = api.get("/v1/events", by=OF_P1).json["items"]
        assert [one["message_id"] for one in found] == ["m-p-1"]
        assert api.get("/v1/events/m-p-2", by=OF_P1).status_code == 404
        types = api.get("/v1/event-types", by=OF_P1).json["items"]
        assert [one["events"] for one in types] == [1]
        traits = api.get("/v1/event-traits?type=*&name=project_id", by=OF_P1).json["items"]
        assert [one["value"] for one in traits] == ["p-1"]
        assert api.get("/v1/events?marker=m-p-2", by=OF_P1).status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("dead-letters/replay", {}, "ids"),
        ("dead-letters/replay", {"ids": ["x"], "all": True}, "ids"),
        ("dead-letters/replay", {"ids": "x"}, "ids"),
        ("dead-letters/replay", {"all": False}, "all"),
        ("dead-letters/replay", {"until": "yesterday"}, "until"),
        ("dead-letters/replay", {"acton": "x"}, "acton"),
        ("dead-letters/replay", {"action": "https://u:***@p-1.example/hook"}, "action"),
        ("dead-letters/purge", {"since": "2026-01-02T12:00:00Z"}, "since"),
        ("rejected-events/replay", {"all": True}, "all"),
        ("rejected-events/replay", {"ids": []}, "ids"),
        ("publications/purge", {"publisher": "https://nobody.example"}, "publisher"),
    ],
)
def test_which_ones_has_to_be_said(
    api: Api, filled: SqlStore, path: str, body: dict[str, Any], field: str
) -> None:
    answer = api.post(f"/v1/{path}", json=body)
    assert answer.status_code == 400
    assert field in [each["field"].split(".")[0] for each in answer.json["errors"]]
    assert filled.counts().deliveries_by_state["dead"] == 2


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/deliveries?state=gone", "state"),
        ("/v1/deliveries?outcome=gone", "outcome"),
        ("/v1/deliveries?action=https://u:***@p-1.example/hook", "action"),
        ("/v1/deliveries?marker=nobody", "marker"),
        ("/v1/deliveries?limit=1001", "limit"),
        ("/v1/dead-letters?state=dead", "state"),
        ("/v1/rejected-events?marker=nobody", "marker"),
        ("/v1/publications?marker=nobody", "marker"),
        ("/v1/publications?publisher=https://nobody", "publisher"),
        ("/v1/events?marker=nobody", "marker"),
        ("/v1/events?since=yesterday", "since"),
        ("/v1/events?trait=host", "trait"),
        ("/v1/event-traits", "type"),
    ],
)
def test_a_query_that_makes_no_sense_is_a_problem(
    api: Api, filled: SqlStore, path: str, field: str
) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert field in [each["field"].split(".")[0] for each in answer.json["errors"]]


def test_a_body_that_is_no_text_is_in_base64(api: Api, filled: SqlStore) -> None:
    text, bytes_ = (api.get(f"/v1/rejected-events/r-{n}").json for n in (0, 1))
    assert (text["body"], text["body_encoding"]) == ("text", "text")
    assert bytes_["body_encoding"] == "base64"
    assert b64decode(bytes_["body"]) == b"\xff\x00"


@pytest.mark.parametrize("id", ["a/b", "/a", "a//b", "a/", "a?b#c", "a b%2F", "replay"])
def test_an_event_is_found_whatever_its_sender_called_it(
    api: Api, store: SqlStore, id: str
) -> None:
    store.keep_events([an_event(message_id=id)])
    answer = api.get(f"/v1/events/{quote(id, safe='')}")
    assert answer.status_code == 200, answer.text
    assert answer.json["message_id"] == id


def test_pages_keep_to_all_that_was_asked_for(api: Api, store: SqlStore) -> None:
    """Arguments that are given several times are in the path of the next page as well."""
    for at in range(5):
        traits = {"host": "a" if at else "b", "n": at}
        store.keep_events([an_event(message_id=f"m-{at}", **traits)])
    found = []
    asked = [("trait", "host=a"), ("trait", "n<4"), ("limit", "1"), ("type", "identity.*")]
    path = f"/v1/events?{urlencode(asked)}"
    while path:
        page = api.get(path).json
        found += [one["message_id"] for one in page["items"]]
        path = page["next"]
    assert found == ["m-3", "m-2", "m-1"]


@pytest.mark.parametrize(
    "path", ["/v1/deliveries", "/v1/dead-letters", "/v1/rejected-events", "/v1/events"]
)
def test_pages_lead_to_each_other(api: Api, filled: SqlStore, path: str) -> None:
    whole = api.get(path).json["items"]
    assert len(whole) > 1
    found, following = [], f"{path}?limit=1"
    while following:
        page = api.get(following).json
        found += page["items"]
        following = page["next"]
    assert found == whole


def test_events_are_not_taken_in_here(api: Api) -> None:
    answer = api.post("/v1/events", json={})
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert "POST" not in answer.headers["Allow"]


def test_every_operation_and_argument_is_described(api: Api) -> None:
    document = api.get("/openapi.json").json
    tags = {"deliveries", "dead-letters", "rejected-events", "publications", "events", "status"}
    described = 0
    for path, methods in document["paths"].items():
        operations = [one for one in methods.values() if isinstance(one, dict)]
        for operation in (one for one in operations if tags & set(one.get("tags", []))):
            described += 1
            assert operation["summary"], path
            for argument in operation.get("parameters", []):
                assert argument["in"] == "path" or argument["description"], (path, argument)
    assert described == 21
    known = document["components"]["schemas"]
    for name in ("DeliveryOut", "AttemptOut", "StatusOut", "EventOut", "DeadLettersToReplay"):
        for field in known[name]["properties"].values():
            assert field.get("description") or "$ref" in field, name


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("POST", "/v1/dead-letters/replay", {"json": {"ids": ["x"]}}, 404),
        ("POST", "/v1/dead-letters/purge", {"json": {"ids": ["x"]}}, 404),
        ("POST", "/v1/rejected-events/replay", {"json": {"ids": ["x"]}}, 404),
        ("POST", "/v1/rejected-events/replay", {"json": {"ids": ["r"]}}, 409),
        ("POST", "/v1/publications/replay", {"json": {"ids": ["x"]}}, 404),
        ("POST", "/v1/publications/purge", {"json": {"ids": ["x"]}}, 404),
        ("GET", "/v1/rejected-events/r", {}, 409),
        ("GET", "/v1/events/m", {}, 409),
        ("GET", "/v1/deliveries?alarm=nobody", {}, 404),
        ("GET", "/v1/dead-letters?alarm=nobody", {}, 404),
        ("GET", "/v1/event-traits?type=nothing", {}, 404),
    ],
)
def test_what_is_not_there_or_not_told_apart_is_described(
    api: Api, filled: SqlStore, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    answer = api.ask(method, path, **sent)
    assert answer.status_code == status, answer.text
    described = api.get("/openapi.json").json["paths"]
    route, _, _ = path.partition("?")
    (operation,) = (
        methods[method.lower()]
        for rule, methods in described.items()
        if re.fullmatch(re.sub(r"\{.*?\}", "(?!replay|purge)[^/]+", rule), route)
        and method.lower() in methods
    )
    assert str(status) in operation["responses"]
