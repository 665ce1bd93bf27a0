"""What becomes of alarms is told: written down with the change, and brought later (alarms 25)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from pipeline.alarms.alarm import Severity, State
from pipeline.event import Event
from pipeline.publishers import Publishers
from pipeline.publishers.settings import PublishingSettings
from pipeline.publishers.test import TestPublisher as MemoryPublisher
from pipeline.republisher import Republisher
from pipeline.sinks import Sinks
from pipeline.store.base import Publication
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_caller, a_transition, an_alarm, an_event, an_id
from store.storing import LEASE, Clock, fire
from waiting import eventually, running


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[SqlStore]:
    """A store that tells two publishers."""
    settings = DatabaseSettings(url=database_url)
    with SqlStore.open(settings, clock=clock, told=("test://", "log://")) as opened:
        yield opened


def waiting(store: SqlStore, publisher: str = "test://") -> list[Event]:
    """What the store keeps for a publisher, in order."""
    kept: list[Publication] = store.claim_publications(100, LEASE, NOON + timedelta(days=1))
    events = [event for one in kept if one.publisher == publisher for event in one.events]
    return sorted(events, key=lambda event: event.generated)


def test_every_change_is_told_with_aodhs_payload(store: SqlStore, clock: Clock) -> None:
    alarm = store.create(
        an_alarm(project_id="p-1", severity=Severity.CRITICAL), a_caller("u-1", project_id="p-1")
    )
    clock.now += timedelta(seconds=1)
    store.update(
        replace(alarm, severity=Severity.LOW, timestamp=clock.now),
        a_caller("u-1", project_id="p-1"),
    )
    store.set_state(
        alarm.alarm_id, State.OK, NOON + timedelta(seconds=2), a_caller("u-1", project_id="p-1")
    )
    clock.now += timedelta(seconds=3)
    store.delete(alarm.alarm_id, a_caller("u-1", project_id="p-1"))

    created, changed, moved, deleted = events = waiting(store)

    assert [event.event_type for event in events] == [
        "alarm.creation",
        "alarm.rule_change",
        "alarm.state_transition",
        "alarm.deletion",
    ]
    history = list(reversed(store.history(alarm.alarm_id)))
    assert [event.message_id for event in events] == [entry.event_id for entry in history]
    payload = dict(created.raw["payload"])
    assert payload.pop("detail")["name"] == alarm.name
    assert payload == {
        "event_id": history[0].event_id,
        "alarm_id": alarm.alarm_id,
        "type": "creation",
        "user_id": "u-1",
        "project_id": "p-1",
        "on_behalf_of": "p-1",
        "timestamp": "2026-01-02T12:00:00",
        "severity": "critical",
    }
    assert changed.raw["payload"]["detail"] == {"severity": "low"}
    assert moved.raw["payload"]["detail"]["state"] == "ok"
    assert deleted.raw["payload"]["detail"] == {"state": "ok"}
    assert moved.values["state"] == "ok"
    assert moved.project_id == "p-1"


def test_firing_is_told(store: SqlStore) -> None:
    alarm = store.create(an_alarm())
    waiting(store)
    fire(store, alarm, an_event(host="a"))
    (event,) = waiting(store)
    assert event.event_type == "alarm.state_transition"
    assert event.values["state"] == "alarm"
    assert event.raw["publisher_id"] == "tocsin.evaluator"


def test_every_publisher_is_told(store: SqlStore) -> None:
    store.create(an_alarm())
    assert len(waiting(store, "log://")) == 1


@pytest.mark.parametrize("kind", ["creation", "rule_change", "state_transition", "deletion"])
def test_firing_on_a_self_notification_is_not_told(store: SqlStore, kind: str) -> None:
    """Two alarms on alarm.state_transition would fire each other for ever."""
    alarm = store.create(an_alarm())
    waiting(store)
    fire(store, alarm, an_event(event_type=f"alarm.{kind}"))
    assert store.get(alarm.alarm_id).state is State.ALARM
    assert not waiting(store)


def test_change_that_was_undone_is_not_told(store: SqlStore) -> None:
    alarm = store.create(an_alarm())
    waiting(store)

    def crash() -> None:
        with store.begin() as transaction:
            transaction.save_transitions([a_transition(alarm)])
            raise RuntimeError("a crash")

    with pytest.raises(RuntimeError):
        crash()
    assert not waiting(store)


def test_many_at_once_are_few_publications(store: SqlStore) -> None:
    store.create_many(an_alarm() for _ in range(1200))
    kept = store.claim_publications(100, LEASE, NOON)
    sizes = sorted(len(one.events) for one in kept if one.publisher == "test://")
    assert sum(sizes) == 1200
    assert len(sizes) <= 4


def test_nobody_is_told_unless_it_is_wanted(database_url: str) -> None:
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        fire(store, store.create(an_alarm()), an_event())
        assert store.counts().publications == 0


def test_the_republisher_brings_what_nobody_tried_yet(store: SqlStore, clock: Clock) -> None:
    """Also where the change was made by a process that has none: a command."""
    store.create(an_alarm())
    publishers, log = Publishers(), structlog.get_logger()
    sinks = Sinks(publishers, store, PublishingSettings(), clock=clock, new_id=an_id, log=log)
    with running(Republisher(sinks, log=log)):
        eventually(lambda: store.counts().publications == 0)
    memory = publishers.get("test://")
    assert isinstance(memory, MemoryPublisher)
    assert [event.event_type for event in memory.events] == ["alarm.creation"]
