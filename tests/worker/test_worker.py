"""What a batch causes is written in one transaction, once, and nothing holds up the queue."""

from __future__ import annotations

import bz2
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from pipeline import yaml_source
from pipeline.alarms.alarm import Alarm, Severity, State
from pipeline.alarms.live import LiveAlarms
from pipeline.dispatch import MatcherEntry, TargetEntry
from pipeline.dispatch.live import LiveRouting
from pipeline.errors import PublishFailed, StoreUnavailable
from pipeline.event import Event
from pipeline.feed import AlarmFeed, RoutingFeed
from pipeline.listeners.base import Message, Stopped
from pipeline.normalise import Normaliser, NormaliseSettings, compiled
from pipeline.planner import Planner
from pipeline.publishers import Publishers
from pipeline.publishers.base import Tools
from pipeline.publishers.settings import PublishingSettings
from pipeline.publishers.test import TestPublisher as MemoryPublisher
from pipeline.routing import load_routes
from pipeline.sinks import Sinks
from pipeline.store.base import Transaction
from pipeline.store.routing import Create
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.worker import Worker

from builders import NOON, a_condition, a_rule, an_alarm, an_id
from messages import a_list_of_events, a_wire_event

TO_ALARMS = "sources: [{name: a, events: ['*'], sinks: [s]}]\nsinks: [{name: s, publishers: ['alarms://']}]"
TO_BOTH = TO_ALARMS.replace("'alarms://'", "'test://broken', 'alarms://', 'test://'")


class BrokenPublisher:
    url = "test://broken"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def publish(self, events: Any) -> None:
        raise self._error

    def close(self) -> None: ...


class Bench:
    """A worker on a real store, and what a test needs around it."""

    def __init__(
        self,
        store: SqlStore,
        pipelines: str = TO_ALARMS,
        intake: Any = None,
        broken: Exception | None = None,
        planner: Planner | None = None,
    ) -> None:
        self.store, self.woken = store, 0
        self.alarms = LiveAlarms()
        self.feed = AlarmFeed(store, self.alarms, refresh_seconds=0.1, log=structlog.get_logger())
        self.memory = MemoryPublisher("test://", Tools())
        definitions = yaml_source.load_file(NormaliseSettings().file)
        self.worker = Worker(
            normaliser=Normaliser(compiled(definitions)),
            routes=load_routes(yaml_source.load(pipelines, "p.yaml"), lambda url: None),
            sinks=self._sinks(broken or PublishFailed("the sink is full")),
            alarms=self.alarms,
            store=intake or store,
            clock=lambda: NOON,
            log=structlog.get_logger(),
            wake=self._wake,
            planner=planner,
        )

    def _sinks(self, broken: Exception) -> Sinks:
        """A sink that works and one that does not, which is not tried a second time."""
        publishers = Publishers()
        publishers.get = lambda url: (  # type: ignore[method-assign]
            self.memory if url == "test://" else BrokenPublisher(broken)
        )
        settings = PublishingSettings(wait_seconds=30, retry_delays_seconds=(3600,))
        log = structlog.get_logger()
        return Sinks(publishers, self.store, settings, clock=lambda: NOON, new_id=an_id, log=log)

    def take(self, *messages: Message) -> bool:
        """What a listener does with a batch; whether it had to be committed."""
        decisions = self.worker.decide(messages)
        if decisions is None:
            return False
        self.worker.commit(decisions)
        return True

    def has(self, *alarms: Alarm) -> None:
        for alarm in alarms:
            self.store.create(alarm)
        self.feed.load()

    def fired(self, alarm: Alarm) -> int:
        history = self.store.history(alarm.alarm_id)
        return sum(entry.type == "state transition" for entry in history)

    def _wake(self) -> None:
        self.woken += 1


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        yield store


@pytest.fixture
def bench(store: SqlStore) -> Bench:
    return Bench(store)


def a_message(resource: str = "u-1", message_id: str | None = None, **fields: Any) -> Message:
    """A user deletion in Keystone's basic format."""
    notification = {
        "message_id": message_id or an_id(),
        "publisher_id": "identity.keystone-1",
        "event_type": "identity.user.deleted",
        "priority": "INFO",
        "payload": {"resource_info": resource},
        "timestamp": "2026-01-02 12:00:00.000000",
    } | fields
    return Message(json.dumps(notification).encode(), source="test")


def test_batch_that_fires_nothing_needs_no_commit(bench: Bench) -> None:
    bench.has(an_alarm(all_projects=True, rule=a_rule("identity.project.*")))
    assert bench.take(a_message(), a_message()) is False
    assert bench.worker.tally.received == 2


def test_matching_event_moves_the_alarm_and_makes_a_delivery(bench: Bench) -> None:
    """alarms 11"""
    alarm = an_alarm(all_projects=True)
    bench.has(alarm)
    assert bench.take(a_message())
    assert bench.store.get(alarm.alarm_id).state is State.ALARM
    (delivery,) = bench.store.deliveries(alarm_id=alarm.alarm_id)
    assert (delivery.state, delivery.action) == ("pending", alarm.alarm_actions[0])
    assert bench.woken == 1


def test_redelivered_event_changes_nothing(bench: Bench) -> None:
    """delivery 2, events-in 3: in a later batch, in the same batch, after a restart."""
    alarm = an_alarm(all_projects=True, repeat_actions=True)
    bench.has(alarm)
    message = a_message(message_id="m-1")
    bench.take(message, message)
    bench.take(message)
    again = Bench(bench.store)
    again.feed.load()
    again.take(message)
    assert bench.fired(alarm) == 1
    assert len(bench.store.deliveries()) == 1


def test_two_events_fire_a_repeating_alarm_twice_and_another_once(bench: Bench) -> None:
    """alarms 11"""
    once = an_alarm(all_projects=True)
    repeating = an_alarm(all_projects=True, repeat_actions=True)
    bench.has(once, repeating)
    bench.take(a_message(), a_message())
    assert (bench.fired(once), bench.fired(repeating)) == (1, 2)


def test_quiet_alarm_costs_no_transaction_until_its_state_is_set_back(bench: Bench) -> None:
    """alarms 11"""
    alarm = an_alarm(all_projects=True)
    bench.has(alarm)
    bench.take(a_message())
    assert bench.take(a_message()) is False
    bench.store.set_state(alarm.alarm_id, State.OK, NOON)
    bench.feed.refresh()
    assert bench.take(a_message())
    assert bench.fired(alarm) == 3  # the person's change of state is one of them


def test_two_workers_on_one_store_fire_an_alarm_once(bench: Bench) -> None:
    """delivery 2"""
    alarm = an_alarm(all_projects=True)
    bench.has(alarm)
    other = Bench(bench.store)
    other.feed.load()
    bench.take(a_message())
    other.take(a_message())
    assert bench.fired(alarm) == 1
    assert other.take(a_message()) is False, "the other has learned that the alarm is quiet"


def test_message_that_is_no_event_is_kept_with_its_reason_and_the_rest_goes_on(
    bench: Bench,
) -> None:
    """events-in 1"""
    alarm = an_alarm(all_projects=True)
    bench.has(alarm)
    broken = Message(b'{"oslo.version": "3.0", "oslo.message": "{}"}', source="q")
    bench.take(broken, a_message())
    bench.take(broken)
    (rejected,) = bench.store.rejected()
    assert rejected.body == broken.body
    assert rejected.source == "q"
    assert "3.0" in rejected.reason
    assert bench.fired(alarm) == 1


def test_rejected_event_is_kept_without_its_secrets(bench: Bench) -> None:
    body = b'{"oslo.version": "9.0", "_context_auth_token": "gAAAAB-secret"}'
    bench.take(Message(body))
    (rejected,) = bench.store.rejected()
    assert b"gAAAAB-secret" not in rejected.body


def test_rejected_event_that_unpacks_to_much_is_cut(bench: Bench) -> None:
    """Else a batch of a few kilobytes fills the memory, each time that it is redelivered."""
    body = bz2.compress(b"x" * (3 * 1024 * 1024))
    bench.take(Message(body))
    (rejected,) = bench.store.rejected()
    assert rejected.truncated
    assert rejected.body == b"x" * 1024 * 1024


def test_rejected_cloudevents_that_differ_in_their_headers_are_all_kept(bench: Bench) -> None:
    """events-in 1: never dropped; but a redelivery is known, whatever the broker adds to it."""
    for number in "12":
        event = {"ce-specversion": "0.3", "ce-id": number, "ce-source": "s", "ce-type": "t"}
        bench.take(Message(b"{}", headers=event))
        bench.take(Message(b"{}", headers=event | {"x-delivery-count": 1}))
    assert sorted(each.headers["ce-id"] for each in bench.store.rejected()) == ["1", "2"]


class Flaky:
    """A store that is away a few times, then there."""

    def __init__(self, store: SqlStore, failures: int) -> None:
        self._store, self.failures = store, failures

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("connection refused")
        with self._store.begin() as transaction:
            yield transaction


def test_commit_waits_for_a_store_that_is_away(store: SqlStore) -> None:
    bench = Bench(store, intake=Flaky(store, failures=2))
    alarm = an_alarm(all_projects=True)
    bench.has(alarm)
    assert bench.take(a_message())
    assert bench.fired(alarm) == 1


def test_commit_ends_when_told_to_stop_while_the_store_is_away(store: SqlStore) -> None:
    bench = Bench(store, intake=Flaky(store, failures=1_000_000))
    alarm = an_alarm(all_projects=True)
    bench.has(alarm)
    threading.Timer(0.2, bench.worker.stop).start()
    with pytest.raises(Stopped):
        bench.take(a_message())
    assert bench.fired(alarm) == 0


class LosingTheAnswer:
    """A store whose first commit is made, but the connection is lost before it can say so."""

    def __init__(self, store: SqlStore) -> None:
        self._store, self._losing = store, True

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        with self._store.begin() as transaction:
            yield transaction
        if self._losing:
            self._losing = False
            raise StoreUnavailable("the connection was lost")


def test_commit_whose_answer_is_lost_is_made_again_and_changes_nothing(store: SqlStore) -> None:
    """delivery 2"""
    bench = Bench(store, TO_BOTH, intake=LosingTheAnswer(store))
    alarm = an_alarm(all_projects=True, repeat_actions=True)
    bench.has(alarm)
    bench.take(a_message(), Message(b"no event"))
    assert bench.fired(alarm) == 1
    counts = store.counts()
    assert (counts.publications, counts.rejected) == (1, 1)


class Counting:
    """A store that counts its transactions, and what each of them fired."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.fired: list[int] = []

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        before = self._store.counts().firings
        with self._store.begin() as transaction:
            yield transaction
        self.fired.append(self._store.counts().firings - before)


def test_batch_that_causes_very_much_is_written_in_portions(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it could take longer than a transaction may, and block the queue for ever."""
    monkeypatch.setattr("pipeline.worker._WRITTEN_AT_ONCE", 4)
    intake = Counting(store)
    bench = Bench(store, TO_BOTH, intake=intake)
    bench.has(*(an_alarm(all_projects=True, repeat_actions=True) for _ in range(3)))
    bench.take(a_message(), a_message(), a_message(), Message(b"no event"))
    assert len(intake.fired) == 5, "nine firings, three events to publish, a rejected one"
    assert sum(intake.fired) == store.counts().firings == bench.worker.tally.fired == 9
    assert (store.counts().publications, store.counts().rejected) == (1, 1)


class Allergic:
    """A store that fails, as by a bug, on whatever concerns one alarm."""

    def __init__(self, store: SqlStore, alarm_id: str) -> None:
        self._store, self._alarm_id = store, alarm_id

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        with self._store.begin() as transaction:
            save = transaction.save_transitions

            def save_transitions(transitions: Any, actions: Any = None) -> None:
                if any(t.alarm.alarm_id == self._alarm_id for t in transitions):
                    raise ZeroDivisionError("a bug")
                save(transitions)

            transaction.save_transitions = save_transitions  # type: ignore[method-assign]
            yield transaction


def test_event_that_cannot_be_recorded_is_rejected_and_does_not_hold_up_the_batch(
    store: SqlStore,
) -> None:
    bad = an_alarm(all_projects=True, rule=a_rule("*", a_condition("traits.resource_id", "bad")))
    good = an_alarm(all_projects=True, rule=a_rule("*", a_condition("traits.resource_id", "good")))
    bench = Bench(store, intake=Allergic(store, bad.alarm_id))
    bench.has(bad, good)
    bench.take(a_message("bad"), a_message("good"))
    assert (bench.fired(bad), bench.fired(good)) == (0, 1)
    (rejected,) = store.rejected()
    assert "could not be recorded: ZeroDivisionError" in rejected.reason


def test_failing_publisher_stops_neither_the_others_nor_the_alarms(store: SqlStore) -> None:
    """events-in 28: what was not taken is kept to be published again."""
    bench = Bench(store, TO_BOTH)
    alarm = an_alarm(all_projects=True)
    bench.has(alarm)
    message = a_message(message_id="m-7")
    bench.take(message)
    assert [event.message_id for event in bench.memory.events] == ["m-7"]
    assert bench.fired(alarm) == 1
    assert store.counts().publications == 1


def test_batch_that_is_only_published_needs_no_transaction(store: SqlStore) -> None:
    pipelines = TO_ALARMS.replace("alarms://", "test://")
    intake = Flaky(store, failures=1)
    bench = Bench(store, pipelines, intake=intake)
    assert bench.take(a_message(message_id="m-8"))
    assert [event.message_id for event in bench.memory.events] == ["m-8"]
    assert intake.failures == 1, "nobody has asked the store for anything"


def test_publisher_with_a_bug_stops_neither_the_others_nor_the_alarms(store: SqlStore) -> None:
    """events-in 28: what it did not take is kept all the same."""
    bench = Bench(store, TO_BOTH, broken=ZeroDivisionError("a bug"))
    alarm = an_alarm(all_projects=True)
    bench.has(alarm)
    bench.take(a_message(message_id="m-7"))
    assert [event.message_id for event in bench.memory.events] == ["m-7"]
    assert bench.fired(alarm) == 1
    (publication,) = store.claim_publications(10, timedelta(minutes=1), NOON)
    assert (publication.publisher, publication.error) == (
        "test://broken",
        "ZeroDivisionError: a bug",
    )


def test_reconfigured_worker_uses_the_new_definitions(bench: Bench) -> None:
    """events-in 31"""
    definitions = "- event_type: '*'\n  traits: {who: {fields: payload.resource_info}}"
    alarm = an_alarm(
        all_projects=True, rule=a_rule("*", a_condition("traits.who", "u-1", type="string"))
    )
    bench.has(alarm)
    assert bench.take(a_message()) is False
    routes = load_routes(yaml_source.load(TO_ALARMS, "p.yaml"), lambda url: None)
    bench.worker.configure(Normaliser(compiled(yaml_source.load(definitions, "d.yaml"))), routes)
    assert bench.take(a_message())
    assert bench.fired(alarm) == 1


def test_alarm_sees_its_own_project_only_unless_it_sees_all(bench: Bench) -> None:
    """alarms 9"""
    mine, everybodys = an_alarm(project_id="p-1"), an_alarm(all_projects=True)
    unowned = an_alarm(project_id="")
    bench.has(mine, everybodys, unowned)
    theirs = a_message(payload={"resource_info": "u", "tenant_id": "p-2"})
    bench.take(theirs)
    assert [bench.fired(a) for a in (mine, everybodys, unowned)] == [0, 1, 0]
    bench.take(a_message(payload={"resource_info": "u", "tenant_id": "p-1"}))
    assert bench.fired(mine) == 1
    bench.take(a_message())
    assert bench.fired(unowned) == 1


def test_every_captured_keystone_notification_passes_through(bench: Bench) -> None:
    alarm = an_alarm(all_projects=True, repeat_actions=True, rule=a_rule("*"))
    bench.has(alarm)
    path = Path(__file__).parents[1] / "data" / "keystone-cadf.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    bench.take(*(Message(line["body"].encode(), "application/json") for line in lines))
    assert bench.fired(alarm) == len(lines)
    assert store_is_readable(bench.store)


def store_is_readable(store: SqlStore) -> bool:
    """Every event that was written can be read back from what is told of it."""
    for record in store.deliveries(limit=1000):
        _, delivery, _ = store.delivery(record.delivery_id)
        event = Event.from_dict(delivery.notification.reason_data["event"])
        assert event.message_id == record.message_id
    return True


# --- events that were normalised elsewhere ---------------------------------------------------


def test_list_of_events_is_evaluated_event_by_event(bench: Bench) -> None:
    """events-in 30: each fires once, also when the list comes again; a bad one is kept alone."""
    alarm = an_alarm(all_projects=True, repeat_actions=True)
    bench.has(alarm)
    events = [
        a_wire_event("m-1"),
        a_wire_event("m-2", traits=[["a", 1, ["x"]]]),
        a_wire_event("m-3"),
    ]
    message = Message(a_list_of_events(*events), source="test")

    bench.take(message)
    bench.take(message)

    assert bench.fired(alarm) == 2
    (rejected,) = bench.store.rejected()
    assert "trait 'a' holds a list" in rejected.reason
    assert json.loads(rejected.body)["payload"] == [events[1]]


def test_list_with_a_bad_event_is_not_understood(bench: Bench) -> None:
    assert bench.worker.understand(Message(a_list_of_events(a_wire_event()))) is None
    reason = bench.worker.understand(Message(a_list_of_events(a_wire_event(), 5)))
    assert reason == "Event 2 of the list cannot be used: it is 5, not an object."


def test_events_of_a_list_are_published(store: SqlStore) -> None:
    bench = Bench(store, TO_BOTH.replace("'test://broken', ", ""))
    bench.take(Message(a_list_of_events(a_wire_event("m-1"), a_wire_event("m-2"))))
    assert [event.message_id for event in bench.memory.events] == ["m-1", "m-2"]


def test_deliveries_are_planned_in_the_transaction_that_fires(store: SqlStore) -> None:
    store.change_entries(
        [
            Create(TargetEntry("log", "log")),
            Create(MatcherEntry("nights", ("log",), match_field=("exact:resource_id=u-1",))),
        ]
    )
    live = LiveRouting()
    RoutingFeed(
        store, live, with_secrets=False, refresh_seconds=0.1, log=structlog.get_logger()
    ).load()
    bench = Bench(store, planner=Planner(live, structlog.get_logger()))
    critical = an_alarm(
        rule=a_rule("identity.user.deleted"),
        severity=Severity.CRITICAL,
        alarm_actions=("https://receiver.example/hook",),
        all_projects=True,
    )
    bench.has(critical)

    bench.take(a_message("u-1"))

    assert {record.action for record in store.deliveries()} == {
        "https://receiver.example/hook",
        "target:log",
    }
