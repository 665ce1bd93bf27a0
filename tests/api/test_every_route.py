"""Every route, as everybody who may not: walked from the OpenAPI description (issue 5).

A new route is walked without being named here. Where it has a part of the path that is not known
yet, the test fails until somebody of another project has such a thing (`PARTS`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from structlog.testing import CapturingLogger
from werkzeug.test import TestResponse

from pipeline.access import Caller, Permission, Role
from pipeline.access.caller import PERMISSIONS
from pipeline.access.settings import ApiSettings
from pipeline.alarms.alarm import Alarm
from pipeline.api import make_app
from pipeline.api.app import PUBLIC
from pipeline.api.identity import TokenIdentity
from pipeline.dispatch import FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.notification import Refused
from pipeline.retry import DeadLetter
from pipeline.store import schema
from pipeline.store.base import Publication, RejectedEvent
from pipeline.store.routing import Create
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import NOON, a_caller, a_transition, an_alarm, an_event
from cli.application import TestApplication
from store.storing import an_attempt

MARK = "zq-theirs"
"""Stands in all that is of another project, so that an answer which tells of it is found."""

_TARGET, _GROUP, _FILTER, _MATCHER = (f"{MARK}-{kind}" for kind in ("t", "g", "f", "m"))

PARTS: Mapping[str, Mapping[str, str]] = {
    "/v1/alarms": {"alarm": f"{MARK}-alarm"},
    "/v1/targets": {"name": _TARGET},
    "/v1/groups": {"name": _GROUP},
    "/v1/filters": {"name": _FILTER},
    "/v1/matchers": {"name": _MATCHER},
    "/v1/tokens": {"token": f"{MARK}-token"},
    "/v1/deliveries": {"delivery": f"{MARK}-pending"},
    "/v1/dead-letters": {"delivery": f"{MARK}-dead"},
    "/v1/rejected-events": {"rejected": f"{MARK}-rejected"},
    "/v1/publications": {"publication": f"{MARK}-publication"},
    "/v1/events": {"event": f"{MARK}-event"},
    "/v1/kinds": {"kind": "message"},
    "/v1/target-types": {"type": "gotify"},
}
"""What another project has, by the beginning of the path and the name of its part."""

BODIES: Mapping[str, Any] = {
    "AlarmIn": {"name": "mine", "project_id": "p-theirs", "alarm_actions": [f"target:{_TARGET}"]},
    "AlarmsIn": {"alarms": [{"name": "mine", "project_id": "p-theirs"}]},
    "AlarmChange": {"name": "mine"},
    "TargetIn": {"name": _TARGET, "type": "aodh", "url": "https://mine.example"},
    "TargetChange": {"comment": "mine now"},
    "GroupIn": {"name": _GROUP, "target": [_TARGET]},
    "GroupChange": {"comment": "mine now"},
    "FilterIn": {"name": _FILTER, "min-severity": "error"},
    "FilterChange": {"comment": "mine now"},
    "MatcherIn": {"name": _MATCHER, "target": [_TARGET]},
    "MatcherChange": {"comment": "mine now"},
    "State": {"state": "ok"},
    "ExplainAlarmIn": {"event": f"{MARK}-event"},
    "TrialIn": {"alarms": [{"name": "mine", "type": "event", "event_rule": {}}]},
    "ExplainRoutesIn": {"event": f"{MARK}-event"},
    "PreviewIn": {"kind": "message", "event": f"{MARK}-event"},
    "SendIn": {"kind": "message", "fields": {"text": "mine"}, "targets": [_TARGET]},
    "TestIn": {},
    "ReceiverIn": {"receiver": _TARGET},
    "ApplyIn": {
        "files": [
            {
                "name": "mine.yaml",
                "text": "alarms: [{name: a, type: event, event_rule: {}, project_id: p-theirs}]",
            }
        ]
    },
    "DeadLettersToReplay": {"all": True},
    "DeadLettersToPurge": {"all": True},
    "RejectedEventsToReplay": {"ids": [f"{MARK}-rejected"]},
    "PublicationsChoice": {"all": True},
    "QuotasIn": {"project_id": "p-theirs", "quotas": [{"resource": "alarms", "limit": 1}]},
    "TokenIn": {"name": "mine", "role": "admin"},
}
"""What somebody would send who wants what is not theirs."""

EVERYBODYS = ("/v1/kinds", "/v1/target-types")
"""Matters that are the same for everybody."""

_NOT_TOLD = {"api_token"}
"""Tables that a request which is refused may change: when a token was used."""


@dataclass(frozen=True)
class Operation:
    """One operation of the description."""

    method: str
    path: str
    permission: Permission
    body: str | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def matter(self) -> str:
        """The beginning of the path: `/v1/alarms`."""
        return "/".join(self.path.split("/")[:3])

    @property
    def filled(self) -> str:
        """The path with what another project has in its parts."""

        def part(found: re.Match[str]) -> str:
            named = PARTS.get(self.matter, {})
            assert found[1] in named, (
                f"{self}: say in PARTS what another project has as {found[1]}"
            )
            return named[found[1]]

        return re.sub(r"{(\w+)}", part, self.path)

    @property
    def sent(self) -> Any:
        if self.body is None:
            return None
        assert self.body in BODIES, f"{self}: say in BODIES what to send as {self.body}"
        return BODIES[self.body]


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    settings = DatabaseSettings(url=sqlite_url)
    with SqlStore.open(settings, clock=lambda: NOON) as store:
        entries = [
            FilterEntry(_FILTER, min_severity="error"),
            TargetEntry(_TARGET, type="aodh", options={"url": f"http://127.0.0.1:9/{MARK}"}),
            GroupEntry(_GROUP, targets=(_TARGET,)),
            MatcherEntry(_MATCHER, targets=(_TARGET,)),
        ]
        store.change_entries([Create(entry) for entry in entries])
        alarm = store.create(
            an_alarm(
                name=f"{MARK}-alarm", project_id="p-theirs", alarm_actions=(f"target:{_TARGET}",)
            )
        )
        _keep_what_came_of(store, alarm)
        yield store


def _keep_what_came_of(store: SqlStore, alarm: Alarm) -> None:
    """Two deliveries of the alarm, one of them a dead letter; its event, and what went wrong."""
    event = an_event(message_id=f"{MARK}-event", project_id="p-theirs")
    another = an_event(message_id=f"{MARK}-another", project_id="p-theirs")
    store.keep_events([event, another])
    rejected = RejectedEvent(f"{MARK}-rejected", MARK, b"?", None, {}, MARK, NOON)
    publication = Publication(f"{MARK}-publication", f"https://{MARK}.example", (event,), MARK)
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(alarm, each) for each in (event, another)])
        transaction.save_rejected([rejected])
        transaction.save_publications([publication])
    (pending,), (dead,) = (store.claim(1, timedelta(minutes=1), NOON) for _ in "12")
    store.finish([(dead, an_attempt(dead, Refused(MARK)), DeadLetter(MARK))])
    named = {pending.delivery_id: f"{MARK}-pending", dead.delivery_id: f"{MARK}-dead"}
    with store._database.write() as connection:
        for table in (schema.delivery, schema.attempt):
            for given, name in named.items():
                chosen = table.update().where(table.c.delivery_id == given)
                connection.execute(chosen.values(delivery_id=name))


@pytest.fixture
def api(store: SqlStore) -> Api:
    api = Api(TestApplication(store), rate_limit="")
    made = api.post("/v1/tokens", json={"name": f"{MARK}-token", "role": "admin"})
    assert made.status_code == 201
    return api


def operations(api: Api) -> list[Operation]:
    paths = api.get("/openapi.json").json["paths"]
    found = [
        Operation(method.upper(), path, Permission(said["x-permission"]), _body(said))
        for path, methods in paths.items()
        for method, said in methods.items()
        if method != "parameters"
    ]
    assert found
    return found


def _body(said: Mapping[str, Any]) -> str | None:
    content = said.get("requestBody", {}).get("content", {})
    schemas = [each["schema"]["$ref"].rsplit("/", 1)[1] for each in content.values()]
    return schemas[0] if schemas else None


def ask(api: Api, operation: Operation, by: Caller, **more: Any) -> TestResponse:
    sent = {"json": operation.sent} if operation.body else {}
    return api.ask(operation.method, operation.filled, by=by, **sent, **more)


def rows(store: SqlStore) -> dict[str, list[Any]]:
    """All that is stored."""
    with store._database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(table.select())))
            for table in schema.metadata.sorted_tables
            if table.name not in _NOT_TOLD
        }


def test_no_route_is_missing_from_the_description(api: Api) -> None:
    described = {
        (operation.method, operation.path.replace("{", "<").replace("}", ">"))
        for operation in operations(api)
    }
    served = {
        (method, re.sub(r"<\w+:", "<", rule.rule))
        for rule in api.app.url_map.iter_rules()
        if rule.rule.startswith("/v1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == described


def test_nothing_but_what_is_public_is_answered_to_whoever_shows_nothing(
    api: Api, store: SqlStore
) -> None:
    identify = TokenIdentity(lambda: store, lambda: NOON, CapturingLogger())
    settings = ApiSettings(failed_rate_limit="", rate_limit="")
    client = make_app(api.application, identify, settings, CapturingLogger()).test_client()
    before = rows(store)
    asked = set()
    for rule in api.app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        for method in rule.methods or ():
            answer = client.open(path, method=method, json={})
            expected = rule.rule in PUBLIC or path.startswith("/openapi")
            assert (answer.status_code == 401) is not expected, (method, path)
            if answer.status_code == 401:
                assert answer.headers["WWW-Authenticate"]
                asked.add(path)
    assert asked
    assert rows(store) == before


def test_nobody_gets_more_than_their_role(api: Api, store: SqlStore) -> None:
    before = rows(store)
    for operation in operations(api):
        for role in Role:
            if operation.permission not in PERMISSIONS[role]:
                answer = ask(api, operation, a_caller(role=role))
                assert answer.status_code == 403, (str(operation), role)
                assert answer.content_type == "application/problem+json"
    assert rows(store) == before


def test_every_role_gets_what_it_may(api: Api) -> None:
    """Else the walks above would hold for an API that refuses everything."""
    for operation in operations(api):
        for role in Role:
            if operation.permission in PERMISSIONS[role]:
                answer = ask(api, operation, a_caller(role=role))
                assert answer.status_code != 403, (str(operation), role, answer.text)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("names", [frozenset(), frozenset({"hook"})])
def test_another_project_sees_nothing_and_changes_nothing(
    api: Api, store: SqlStore, role: Role, names: frozenset[str]
) -> None:
    caller = a_caller(role=role, project_id="p-mine", projects=frozenset({"p-mine"}), names=names)
    _walk_as_a_stranger(api, store, partial(ask, api, by=caller))


def test_who_is_held_to_other_names_changes_nothing_of_these(api: Api, store: SqlStore) -> None:
    caller = a_caller(names=frozenset({"hook"}))
    before = rows(store)
    named = [each for each in operations(api) if "name" in PARTS.get(each.matter, {})]
    assert named
    for operation in named:
        _is_nothing(operation, ask(api, operation, caller))
    assert rows(store) == before


def _walk_as_a_stranger(api: Api, store: SqlStore, asked: Any) -> None:
    before = rows(store)
    for operation in operations(api):
        _is_nothing(operation, asked(operation))
    assert rows(store) == before


def _is_nothing(operation: Operation, answer: TestResponse) -> None:
    """The answer to whoever may not: one that refuses, or tells of nothing that is theirs."""
    refused = answer.status_code in (403, 404)
    if "{" in operation.path and operation.matter not in EVERYBODYS:
        assert refused, (str(operation), answer.status_code, answer.text)
    else:
        assert refused or MARK not in answer.text, (str(operation), answer.text)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_token_that_has_ended_opens_no_route(api: Api, store: SqlStore, end: str) -> None:
    soon = "2026-01-02T12:05:00Z"
    made = api.post("/v1/tokens", json={"name": "ops", "role": "admin", "expires_at": soon})
    now = NOON if end == "revoked" else NOON.replace(hour=13)
    identify = TokenIdentity(lambda: store, lambda: now, CapturingLogger())
    if end == "revoked":
        api.delete("/v1/tokens/ops")
    settings = ApiSettings(failed_rate_limit="", rate_limit="")
    client = make_app(api.application, identify, settings, CapturingLogger()).test_client()
    before = rows(store)
    for operation in operations(api):
        answer = client.open(
            operation.filled,
            method=operation.method,
            json=operation.sent,
            headers={"Authorization": f"Bearer {made.json['token']}"},
        )
        assert answer.status_code == 401, str(operation)
    assert rows(store) == before
