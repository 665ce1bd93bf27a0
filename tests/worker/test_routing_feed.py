"""What people set up by name is in force at the next look, and what is broken is told once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from pipeline import yaml_source
from pipeline.alarms.alarm import Severity
from pipeline.dispatch import Entry, MatcherEntry, TargetEntry
from pipeline.dispatch.live import LiveRouting
from pipeline.errors import InvalidValue, NotFound
from pipeline.feed import RoutingFeed
from pipeline.kinds import kinds_in
from pipeline.planner import Notify, Planner
from pipeline.store.routing import Create, Delete, RoutingSnapshot, Update
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_occurrence

LOG = TargetEntry("log", "log")
TO_LOG = MatcherEntry("to-log", ("log",))
URL = "https://receiver.example/hook"


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), clock=lambda: NOON) as opened:
        yield opened


class Routed:
    """A routing that follows a store."""

    def __init__(self, source: Any) -> None:
        self.live = LiveRouting()
        log = structlog.get_logger()
        self.planner = Planner(self.live, log)
        self.feed = RoutingFeed(source, self.live, with_secrets=True, refresh_seconds=0.1, log=log)
        self.feed.load()


def test_change_is_in_force_at_the_next_look(store: SqlStore) -> None:
    routed = Routed(store)
    fired = a_transition(an_alarm(severity=Severity.CRITICAL, alarm_actions=(URL,)))
    assert routed.planner.actions(fired) == (URL,)

    store.change_entries([Create(LOG), Create(TO_LOG)])
    routed.feed.refresh()
    assert routed.planner.actions(fired) == (URL, "target:log")

    store.change_entries([Update(replace(TO_LOG, disable=True))])
    routed.feed.refresh()
    assert routed.planner.actions(fired) == (URL,)

    store.change_entries([Delete("to-log"), Delete("log")])
    routed.feed.refresh()
    with pytest.raises(NotFound):
        routed.live.target("log")


def test_alarm_without_actions_is_told_to_root_if_it_is_critical(store: SqlStore) -> None:
    routed = Routed(store)

    def told(severity: Severity) -> Any:
        return routed.planner.actions(a_transition(an_alarm(severity=severity, alarm_actions=())))

    assert told(Severity.CRITICAL) == ("target:mail-to-root",)
    assert told(Severity.LOW) == ()


def test_target_is_given_as_it_now_is(store: SqlStore) -> None:
    routed = Routed(store)
    store.change_entries([Create(LOG)])
    routed.feed.refresh()

    assert routed.live.target("log") == LOG


def test_what_cannot_be_used_is_told_once_and_the_others_go_on() -> None:
    class Source:
        revision = 0

        def routing_after(self, revision: int, *, with_secrets: bool) -> RoutingSnapshot:
            self.revision += 1
            broken = MatcherEntry("broken", ("log",), match_field=("regex:a=(",))
            return RoutingSnapshot(
                self.revision, (LOG, TO_LOG, broken), {"phone": "target phone: no key"}
            )

    with structlog.testing.capture_logs() as logged:
        routed = Routed(Source())
        routed.feed.refresh()

    told = [line for line in logged if line["event"] == "routing.broken"]
    assert [line["name"] for line in told] == ["broken", "phone"]
    assert routed.planner.planned(an_occurrence(), (), NOON).actions == ("target:log",)


def test_target_whose_secret_cannot_be_had_says_so_itself() -> None:
    live = LiveRouting()
    live.load(1, [TargetEntry("phone", "gotify"), LOG], {"phone": "target phone: no key"})

    assert live.target("log") == LOG
    with pytest.raises(InvalidValue, match="target phone: no key"):
        live.target("phone")


def test_changed_kinds_are_in_force_at_the_next_look(store: SqlStore) -> None:
    store.change_entries([Create(LOG), Create(TO_LOG)])
    routed, backup = Routed(store), an_occurrence("backup", "info", job="a", status="ok")
    assert routed.planner.planned(backup, (), NOON).actions == ()

    text = "kinds: [{id: backup, policy: always}]"
    routed.live.use(kinds_in(yaml_source.load(text, "kinds.yaml")))
    routed.feed.refresh()

    assert routed.planner.planned(backup, (), NOON).actions == ("target:log",)


def test_kinds_that_change_while_entries_are_loaded_are_not_missed() -> None:
    live = LiveRouting()
    kinds = kinds_in(yaml_source.load("kinds: [{id: backup, policy: always}]", "kinds.yaml"))

    class Entries(list[Entry]):
        def __iter__(self) -> Iterator[Entry]:
            live.use(kinds)
            return super().__iter__()

    live.load(7, Entries([LOG]), {})

    assert live.revision == -1  # the next look loads them once more


def test_what_leads_nowhere_is_an_error_in_the_log(store: SqlStore) -> None:
    with structlog.testing.capture_logs() as logged:
        routed = Routed(store)
        actions = routed.planner.actions(a_transition(an_alarm(alarm_actions=("target:gone",))))

    assert actions == ("target:gone",)
    (line,) = (line for line in logged if line["event"] == "routing.leads_nowhere")
    assert line["log_level"] == "error"
    assert "target:gone, which does not exist" in line["reason"]


def test_anything_is_told_to_whom_matchers_and_sender_say(store: SqlStore) -> None:
    store.change_entries([Create(LOG), Create(TO_LOG)])
    routed, woken = Routed(store), []
    notify = Notify(routed.planner, store, lambda: NOON, lambda: woken.append(True))
    message = an_occurrence("message", "notice", text="hello")

    assert notify(message, (URL,)) == (URL, "target:log")

    records = store.deliveries()
    assert {record.action for record in records} == {URL, "target:log"}
    _, delivery, _ = store.delivery(records[0].delivery_id)
    assert delivery.notification == message
    assert woken == [True]


def test_what_nobody_takes_is_not_written(store: SqlStore) -> None:
    store.change_entries([Create(replace(TO_LOG, targets=()))])
    routed = Routed(store)
    notify = Notify(routed.planner, store, lambda: NOON, lambda: None)

    assert notify(an_occurrence("message", "notice", text="hello")) == ()
    assert store.deliveries() == []
