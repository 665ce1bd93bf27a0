"""What is set up leads no further than its maker reaches (notifications 14, alarms 8)."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.access import Caller
from pipeline.dispatch import FilterEntry, TargetEntry
from pipeline.store.routing import Create
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import a_caller

HELD = a_caller(names=frozenset({"mine", "hook", "soft"}))
OF_PROJECT = a_caller(projects=frozenset({"p-1"}), names=frozenset({"mine", "hook"}))


@pytest.fixture(autouse=True)
def _there_are_targets(store: SqlStore) -> None:
    store.change_entries(
        [
            Create(TargetEntry("hook", type="aodh", options={"url": "https://a.example"})),
            Create(TargetEntry("theirs", type="aodh", options={"url": "https://b.example"})),
            Create(TargetEntry("mine", type="log")),
            Create(FilterEntry("soft", min_severity="low")),
        ]
    )


def test_within_their_names_they_set_up_what_they_like(api: Api) -> None:
    made = api.post("/v1/groups", by=a_caller(names=frozenset({"crew", "hook", "soft"})),
                    json={"name": "crew", "target": ["hook"], "filter": "soft"})  # fmt: skip
    assert made.status_code == 201
    changed = api.patch("/v1/targets/hook", by=HELD, json={"comment": "mine", "filter": "soft"})
    assert (changed.status_code, changed.json["comment"]) == (200, "mine")


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("groups", {"name": "mine", "target": ["hook", "theirs"]}),
        ("groups", {"name": "mine", "target": "theirs"}),
        ("groups", {"name": "mine", "filter": "theirs"}),
        ("targets", {"name": "mine", "type": "aodh", "fallback": "theirs"}),
        ("targets", {"name": "mine", "type": "exec"}),
        ("targets", {"name": "mine", "type": "log"}),
        ("targets", {"name": "theirs", "type": "aodh"}),
        ("matchers", {"name": "mine", "target": ["theirs"]}),
    ],
)
@pytest.mark.parametrize("caller", [HELD, OF_PROJECT])
def test_they_make_nothing_that_leads_beyond(
    api: Api, store: SqlStore, caller: Caller, kind: str, document: dict[str, Any]
) -> None:
    before = store.entries()
    assert api.post(f"/v1/{kind}", by=caller, json=document).status_code == 403
    assert store.entries() == before


def test_they_change_nothing_into_what_leads_beyond(api: Api, store: SqlStore) -> None:
    before = store.entries()
    for path, change in (
        ("hook", {"fallback": "theirs"}),
        ("hook", {"type": "exec"}),
        ("mine", {"comment": "of the machine"}),
    ):
        assert api.patch(f"/v1/targets/{path}", by=HELD, json=change).status_code == 403
    assert store.entries() == before


def test_matchers_see_every_alarm_and_are_for_whoever_does(api: Api) -> None:
    matcher = {"name": "mine", "target": ["hook"]}
    held = api.post("/v1/matchers", by=OF_PROJECT, json={**matcher})
    assert (held.status_code, "project p-1" in held.json["detail"]) == (403, True)


def test_actions_of_the_machine_are_not_for_whoever_is_held_to_names(api: Api) -> None:
    sent = {"name": "a", "alarm_actions": ["exec://x"]}
    assert api.post("/v1/alarms", by=HELD, json=sent).status_code in (400, 403)
    sent = {"name": "a", "alarm_actions": ["log://"]}
    assert api.post("/v1/alarms", by=HELD, json=sent).status_code == 403
