"""The pruner removes what the settings say, one process at a time, and waits for the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog

from pipeline.errors import StoreUnavailable
from pipeline.pruner import Pruner, RetentionSettings
from pipeline.store.archive import EventFilter
from pipeline.store.retention import Kept
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import an_alarm, an_event, an_id
from store.storing import Clock, fire
from waiting import eventually, running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), clock=clock) as opened:
        yield opened


def a_pruner(store: Any, clock: Clock, **changes: Any) -> Pruner:
    log = structlog.get_logger()
    settings = RetentionSettings(**changes)
    return Pruner(store, settings, clock=clock, new_id=an_id, log=log)


def test_a_round_removes_what_is_too_old_and_says_so_in_one_line(
    store: SqlStore, clock: Clock
) -> None:
    alarm = store.create(an_alarm())
    event = an_event()
    fire(store, alarm, event)
    store.keep_events([event])
    clock.pass_time(days=29)
    store.keep_events([young := an_event()])
    clock.pass_time(days=2)

    with structlog.testing.capture_logs() as lines:
        assert a_pruner(store, clock).run_once()

    removed = {"event": "retention.removed", "log_level": "info", "firings": 1, "events": 1}
    assert lines == [removed]
    assert store.events(EventFilter()) == [young]
    assert len(store.history(alarm.alarm_id)) == 2
    assert store.counts().deliveries_by_state["pending"] == 1


def test_one_process_has_the_round_until_the_next_is_due(store: SqlStore, clock: Clock) -> None:
    one, two = (a_pruner(store, clock, every_minutes=10.0) for _ in range(2))

    assert one.run_once()
    clock.pass_time(minutes=9)
    assert not two.run_once()
    clock.pass_time(minutes=1)
    assert two.run_once()
    assert not one.run_once()


def test_another_takes_the_round_over_from_one_that_died(store: SqlStore, clock: Clock) -> None:
    assert store.claim_pruning("dead", clock(), clock() + timedelta(minutes=5))

    assert not a_pruner(store, clock).run_once()
    clock.pass_time(minutes=5)
    assert a_pruner(store, clock).run_once()


def test_one_that_is_stopped_leaves_the_rest_to_the_next(store: SqlStore, clock: Clock) -> None:
    store.keep_events([an_event() for _ in range(1_001)])
    clock.pass_time(days=31)
    stopped = a_pruner(store, clock)
    stopped.stop()

    assert stopped.run_once()
    assert len(store.events(EventFilter(), limit=2_000)) == 501
    assert a_pruner(store, clock).run_once()
    assert store.events(EventFilter()) == []


def test_the_archive_is_held_to_its_size_however_young(store: SqlStore, clock: Clock) -> None:
    for n in range(5):
        store.keep_events([an_event(message_id=f"m-{n}")])
    pruner = a_pruner(store, clock, events_max=3)

    assert pruner.removable([Kept.EVENTS, Kept.HISTORY]) == {Kept.EVENTS: 2, Kept.HISTORY: 0}
    assert pruner.run_once()

    assert {event.message_id for event in store.events(EventFilter())} == {"m-2", "m-3", "m-4"}


def test_what_is_kept_for_ever_is_not_removed(store: SqlStore, clock: Clock) -> None:
    store.create(an_alarm())
    store.keep_events([an_event()])
    clock.pass_time(days=9_999)

    forever = {"history_days": None, "events_days": None, "events_max": None}
    assert list(a_pruner(store, clock, **forever).removing(tuple(Kept))) == []
    assert list(a_pruner(store, clock, history_days=1e300).removing([Kept.HISTORY])) == []


def test_only_what_was_asked_for_is_removed(store: SqlStore, clock: Clock) -> None:
    store.create(an_alarm())
    store.keep_events([an_event()])
    clock.pass_time(days=100)

    assert list(a_pruner(store, clock).removing([Kept.HISTORY])) == [(Kept.HISTORY, 1)]
    assert len(store.events(EventFilter())) == 1


def test_a_round_that_breaks_ends_nothing_but_itself(store: SqlStore, clock: Clock) -> None:
    """What delivers must not end, again and again, for what only tidies up."""

    class Broken:
        """The store, with something in it that cannot be read, at first."""

        rounds = 0

        def prune(self, kept: Kept, before: datetime, portion: int) -> Iterator[int]:
            if kept is Kept.EVENTS:
                self.rounds += 1
                clock.pass_time(minutes=10)
                if self.rounds < 3:
                    raise ValueError("not a document")
            return store.prune(kept, before, portion)

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

    store.keep_events([an_event()])
    clock.pass_time(days=31)

    with structlog.testing.capture_logs() as lines:
        pruner = a_pruner(Broken(), clock, every_minutes=0.01)
        with running(pruner):
            eventually(lambda: store.events(EventFilter()) == [], "the old event is removed")

    said = [(line["event"], line["log_level"]) for line in lines]
    assert said.count(("retention.failed", "error")) == 2


def test_it_waits_for_a_store_that_is_away(store: SqlStore, clock: Clock) -> None:
    class Away:
        """The store, back after three looks."""

        looks = 0

        def claim_pruning(self, holder: str, now: datetime, until: datetime) -> bool:
            self.looks += 1
            if self.looks < 3:
                raise StoreUnavailable("connection refused")
            return store.claim_pruning(holder, now, until)

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

    store.keep_events([an_event()])
    clock.pass_time(days=31)

    with structlog.testing.capture_logs() as lines:
        pruner = a_pruner(Away(), clock, every_minutes=0.01)
        with running(pruner):
            eventually(lambda: store.events(EventFilter()) == [], "the old event is removed")

    said = [line["event"] for line in lines]
    assert said == ["retention.store_unavailable", "retention.removed"]
