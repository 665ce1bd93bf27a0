"""/v2/alarms/…/history: what became of an alarm, and who did it (alarms 22, 25)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from api.v2.asking import Aodh, said
from builders import NOON
from cli.application import TestApplication

FIELDS = {
    *("event_id", "alarm_id", "type", "detail", "project_id", "user_id", "on_behalf_of"),
    "timestamp",
}


@pytest.fixture
def path(aodh: Aodh) -> str:
    """The history of an alarm that was made, changed, and whose state was set."""
    made = aodh.made(project_id="p-2")
    at = f"/v2/alarms/{made['alarm_id']}"
    aodh.put(at, json={**made, "name": "b"}, user="u-2")
    aodh.put(f"{at}/state", json="ok", user="u-3", project="p-3")
    return f"{at}/history"


def types(aodh: Aodh, path: str, query: str = "", **more: Any) -> list[str]:
    answer = aodh.get(f"{path}?{query}", **more)
    assert answer.status_code == 200, answer.text
    return [line["type"] for line in answer.json]


def test_every_change_is_there_with_who_did_it(aodh: Aodh, path: str) -> None:
    lines: Any = aodh.get(path).json
    assert all(set(line) == FIELDS for line in lines)
    assert [(line["type"], line["user_id"], line["project_id"]) for line in lines] == [
        ("state transition", "u-3", "p-3"),
        ("rule change", "u-2", "p-1"),
        ("creation", "u-1", "p-1"),
    ]
    assert {line["on_behalf_of"] for line in lines} == {"p-2"}
    details = [json.loads(line["detail"]) for line in lines]
    assert details[0] == {"state": "ok", "state_reason": "Manually set via API"}
    assert details[1] == {"name": "b"}


def test_what_changes_nothing_leaves_no_line(aodh: Aodh, path: str) -> None:
    alarm = path.removesuffix("/history")
    shown = aodh.get(alarm).json
    assert aodh.put(alarm, json=shown).status_code == 200
    assert len(types(aodh, path)) == 3


def test_a_state_that_is_put_stands_in_the_line_of_its_change(aodh: Aodh, path: str) -> None:
    alarm = path.removesuffix("/history")
    aodh.put(alarm, json={**aodh.get(alarm).json, "state": "alarm", "name": "c"})
    line: Any = aodh.get(path).json[0]
    assert line["type"] == "rule change"
    assert json.loads(line["detail"]) == {"name": "c", "state": "alarm"}


def test_that_of_a_deleted_alarm_stays(aodh: Aodh, path: str) -> None:
    aodh.delete(path.removesuffix("/history"))
    assert "deletion" in types(aodh, path)
    assert "deletion" in types(aodh, path, role="reader", project="p-2")
    assert aodh.get(path, role="reader").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q.field=type&q.op=eq&q.value=creation", ["creation"]),
        ("q.field=user&q.value=u-2", ["rule change"]),
        ("q.field=project_id&q.value=p-3", ["state transition"]),
        ("q.field=severity&q.value=critical", []),
        ("q.field=timestamp&q.op=lt&q.value=2020-01-01T00:00:00", []),
        ("sort=timestamp:asc", ["creation", "rule change", "state transition"]),
        ("sort=type:desc&limit=1", ["state transition"]),
    ],
)
def test_filters_order_and_limit(aodh: Aodh, path: str, query: str, found: list[str]) -> None:
    assert types(aodh, path, query) == found


def test_pages_follow_each_other(aodh: Aodh, path: str) -> None:
    (first,) = aodh.get(f"{path}?limit=1").json
    assert types(aodh, path, f"marker={first['event_id']}") == ["rule change", "creation"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("q.field=bogus&q.value=x", 'Unknown argument: "bogus": unrecognized field in query'),
        ("q.field=type&q.op=ne&q.value=x", "unimplemented operator for type"),
        ("q.field=timestamp&q.op=eq&q.value=2026-01-01", "unimplemented operator for timestamp"),
        ("q.field=timestamp&q.op=ge&q.value=foo", "Value: 'foo'. invalid timestamp format"),
        ("limit=-1", "it should be a positive integer."),
        ("sort=detail", "the supported sort keys are: ('event_id', 'alarm_id', 'on_behalf_of'"),
        ("marker=nope", "marker: Event nope not found"),
    ],
)
def test_what_makes_no_sense_is_refused(aodh: Aodh, path: str, query: str, text: str) -> None:
    answer = aodh.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert text in said(answer)


def test_of_an_alarm_that_never_was_there_is_none(aodh: Aodh) -> None:
    answer = aodh.get("/v2/alarms/nobody/history")
    assert (answer.status_code, said(answer)) == (404, "Alarm nobody not found")


def test_self_notifications_say_who_it_was(sqlite_url: str) -> None:
    """alarms 25: as Aodh's do."""
    settings = DatabaseSettings(url=sqlite_url)
    with SqlStore.open(settings, clock=lambda: NOON, told=("log://",)) as store:
        aodh = Aodh(TestApplication(store))
        aodh.made(project_id="p-2")
        (record,) = store.publications()
        _, publication = store.publication(record.publication_id)
        (event,) = publication.events
    payload = event.raw["payload"]
    assert event.event_type == "alarm.creation"
    assert (payload["user_id"], payload["project_id"], payload["on_behalf_of"]) == (
        "u-1",
        "p-1",
        "p-2",
    )
