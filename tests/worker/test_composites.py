"""Events and composite alarms: what a worker makes of them, once, with others at work as well."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import text
from worker.composite_model import Model, Tree, seen
from worker.test_worker import Bench

from pipeline.alarms.alarm import Alarm, CompositeRule, EventRule, Reference, State
from pipeline.listeners.base import Message
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_composite, a_rule, all_of, an_alarm, an_id, any_of

OK, ALARM, UNKNOWN = State.OK, State.ALARM, State.INSUFFICIENT_DATA
A, B = a_rule("t.a"), a_rule("t.b")


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        yield store


@pytest.fixture
def bench(store: SqlStore) -> Bench:
    return Bench(store)


def a_message(event_type: str, message_id: str | None = None) -> Message:
    notification = {
        "message_id": message_id or an_id(),
        "publisher_id": "me",
        "event_type": event_type,
        "priority": "INFO",
        "payload": {"host": "a"},
        "timestamp": "2026-01-02 12:00:00.000000",
    }
    return Message(json.dumps(notification).encode(), source="test")


def an_event_alarm(event_type: str, **changes: Any) -> Alarm:
    return an_alarm(all_projects=True, rule=a_rule(event_type), **changes)


def composite(rule: CompositeRule, **changes: Any) -> Alarm:
    return a_composite(rule, all_projects=True, **changes)


def test_events_of_two_conditions_bring_an_alarm_about(bench: Bench) -> None:
    """alarms 5"""
    both = composite(all_of(A, B))
    bench.has(both)
    assert bench.take(a_message("t.a")) is True
    assert bench.store.get(both.alarm_id).leaf_states == (ALARM, UNKNOWN)
    assert bench.fired(both) == 0
    assert bench.take(a_message("t.b")) is True
    assert bench.store.get(both.alarm_id).state is ALARM
    (delivery,) = bench.store.deliveries(alarm_id=both.alarm_id)
    _, told, _ = bench.store.delivery(delivery.delivery_id)
    assert told.notification.reason_data["event"]["event_type"] == "t.b"
    assert told.notification.fields["event_type"] == "t.b"
    assert delivery.message_id == told.notification.fields["message_id"]


def test_a_condition_that_is_met_is_looked_at_no_more(bench: Bench) -> None:
    """However often such events come: no transaction is spent on them."""
    both = composite(all_of(A, B))
    bench.has(both)
    bench.take(a_message("t.a"))
    assert bench.take(a_message("t.a")) is False
    bench.store.set_state(both.alarm_id, OK, NOON)
    bench.feed.refresh()
    assert bench.take(a_message("t.a")) is True
    assert bench.store.get(both.alarm_id).leaf_states == (ALARM, OK)


def test_what_another_worker_has_met_is_found_so_and_looked_at_no_more(store: SqlStore) -> None:
    one, other = Bench(store), Bench(store)
    both = composite(all_of(A, B))
    one.has(both)
    other.feed.load()
    one.take(a_message("t.a"))
    assert other.take(a_message("t.a")) is True
    assert other.take(a_message("t.a")) is False
    assert store.counts().firings == 1


def test_an_alarm_that_fires_is_passed_on_through_all_that_refer_to_it(bench: Bench) -> None:
    x = an_event_alarm("t.x")
    low = composite(all_of(x, A))
    top = composite(any_of(low))
    bench.store.create_many([x, low, top])
    bench.feed.load()
    bench.take(a_message("t.a"))
    assert bench.take(a_message("t.x")) is True
    assert [bench.store.get(each.alarm_id).state for each in (x, low, top)] == [ALARM] * 3
    assert len(bench.store.deliveries(alarm_id=top.alarm_id)) == 1
    bench.store.set_state(x.alarm_id, OK, NOON)
    assert [bench.store.get(each.alarm_id).state for each in (x, low, top)] == [OK] * 3
    assert len(bench.store.deliveries(alarm_id=top.alarm_id)) == 2


def test_one_event_that_an_alarm_meets_in_many_ways_makes_one_transition(bench: Bench) -> None:
    x = an_event_alarm("t.a")
    low = composite(any_of(x, A, a_rule("t.*")))
    top = composite(all_of(low, x, A), repeat_actions=True)
    bench.store.create_many([x, low, top])
    bench.feed.load()
    bench.take(a_message("t.a", "m-1"))
    assert [bench.fired(each) for each in (x, low, top)] == [1, 1, 1]
    assert bench.take(a_message("t.a", "m-1")) is True
    assert [bench.fired(each) for each in (x, low, top)] == [1, 1, 1]


def test_a_redelivered_event_changes_nothing_even_after_the_state_was_set_back(
    bench: Bench,
) -> None:
    """delivery 1"""
    one = composite(any_of(A))
    bench.has(one)
    bench.take(a_message("t.a", "m-1"))
    bench.store.set_state(one.alarm_id, OK, NOON)
    bench.feed.refresh()
    assert bench.take(a_message("t.a", "m-1")) is True
    assert bench.store.get(one.alarm_id).state is OK
    assert bench.store.get(one.alarm_id).leaf_states == (OK,)


def test_a_change_is_in_force_after_one_look(bench: Bench) -> None:
    """alarms 13"""
    one = composite(any_of(A))
    bench.has(one)
    stored = bench.store.get(one.alarm_id)
    bench.store.update(replace(stored, rule=any_of(B)))
    bench.feed.refresh()
    assert bench.take(a_message("t.a")) is False
    assert bench.take(a_message("t.b")) is True
    bench.store.delete(one.alarm_id)
    bench.feed.refresh()
    assert bench.take(a_message("t.b")) is False
    assert len(bench.alarms) == 0


def test_a_composite_alarm_that_no_worker_knows_yet_is_evaluated_all_the_same(
    bench: Bench,
) -> None:
    """It is found by the row of the alarm that fires, not by what is in memory."""
    x = an_event_alarm("t.x")
    bench.has(x)
    top = bench.store.create(composite(any_of(x)))
    bench.take(a_message("t.x"))
    assert bench.store.get(top.alarm_id).state is ALARM


def test_a_self_notification_that_a_composite_alarm_is_about_is_not_told_again(
    database_url: str,
) -> None:
    """alarms 25"""
    with SqlStore.open(DatabaseSettings(url=database_url), told=["log://"]) as store:
        bench = Bench(store)
        one = composite(any_of(a_rule("alarm.*"), a_rule("t.a")), repeat_actions=True)
        bench.has(one)
        before = len(store.publications())
        bench.take(a_message("alarm.state_transition"))
        assert len(store.publications()) == before
        bench.take(a_message("t.a"))
        assert len(store.publications()) == before + 1


def test_two_workers_with_the_same_events_make_one_transition_of_each(store: SqlStore) -> None:
    benches = [Bench(store) for _ in range(3)]
    x, y = an_event_alarm("t.x"), an_event_alarm("t.y")
    low = composite(all_of(x, y, A))
    top = composite(any_of(all_of(low, B), a_rule("t.nothing")))
    store.create_many([x, y, low, top])
    for bench in benches:
        bench.feed.load()
    messages = [a_message(f"t.{name}", f"m-{name}") for name in "xyab"]
    both = threading.Barrier(3)

    def take(number: int) -> None:
        both.wait(30)
        for message in messages[number:] + messages[:number]:
            benches[number].take(message)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(take, range(3)))

    assert [bench.fired(each) for each in (x, y, low, top)] == [1, 1, 1, 1]
    assert len(store.deliveries(alarm_id=top.alarm_id)) == 1


def test_workers_and_people_at_once_neither_wait_for_each_other_for_ever_nor_miss_anything(
    store: SqlStore,
) -> None:
    leaves = [an_event_alarm(f"t.{n}", name=f"leaf {n}", state=OK) for n in range(4)]
    low = composite(all_of(*leaves, A), name="low", state=OK)
    top = composite(any_of(low, *leaves[:2], B), name="top", state=OK)
    store.create_many([*leaves, low, top])
    benches = [Bench(store) for _ in range(2)]
    for bench in benches:
        bench.feed.load()
    done = threading.Event()

    def listen(bench: Bench) -> None:
        while not done.is_set():
            bench.feed.refresh()
            bench.take(*(a_message(f"t.{n}") for n in (3, 1, "a", 0, 2, "b")))

    def reset() -> None:
        for _ in range(8):
            for each in (*leaves, low, top):
                store.set_state(each.alarm_id, OK, NOON)
            made = store.create(composite(any_of(*leaves, top)))
            store.delete(made.alarm_id)
        done.set()

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(reset), *(pool.submit(listen, bench) for bench in benches)]
        for each in running:
            each.result(timeout=120)
    benches[0].feed.refresh()
    benches[0].take(*(a_message(f"t.{n}") for n in (0, 1, 2, 3, "a", "b")))

    assert [store.get(each.alarm_id).state for each in (*leaves, low, top)] == [ALARM] * 6


# --- against a plain model -------------------------------------------------------------------

TYPES = ["t.a", "t.b", "t.c"]
EVENTS = st.tuples(st.just("event"), st.sampled_from(TYPES))


@st.composite
def alarms(draw: st.DrawFn) -> list[tuple[Tree, bool]]:
    made: list[tuple[Tree, bool]] = []
    for number in range(draw(st.integers(2, 6))):
        leaves: Any = EVENTS
        if number:
            leaves |= st.tuples(st.just("alarm"), st.integers(0, number - 1))
        nodes = st.tuples(st.sampled_from(["and", "or"]), st.lists(leaves, min_size=1, max_size=3))
        deeper = st.tuples(
            st.sampled_from(["and", "or"]), st.lists(leaves | nodes, min_size=1, max_size=3)
        )
        tree = draw(EVENTS if number == 0 else EVENTS | deeper | deeper)
        made.append((tree, draw(st.booleans())))
    return made


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("events"), st.lists(st.sampled_from(TYPES), min_size=1, max_size=4)),
        st.tuples(st.just("again"), st.integers(0, 20)),
        st.tuples(st.just("set"), st.tuples(st.integers(0, 5), st.sampled_from(list(State)))),
    ),
    max_size=8,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(alarms(), HAPPENINGS)
def test_whatever_happens_is_what_a_plain_model_makes_of_it(
    store: SqlStore, wanted: list[tuple[Tree, bool]], happenings: list[tuple[str, Any]]
) -> None:
    """alarms 5, 11; delivery 1"""
    with store._database.write() as connection:
        for table in ("alarm", "alarm_reference", "firing", "delivery", "notification"):
            connection.execute(text(f"DELETE FROM {table}"))
    model = Model(wanted)
    ids = [an_id() for _ in wanted]
    store.create_many(_alarm(tree, repeats, ids, n) for n, (tree, repeats) in enumerate(wanted))
    bench = Bench(store)
    bench.feed.load()
    came: list[tuple[str, str]] = []
    for kind, what in happenings:
        if kind == "set":
            if (number := what[0]) < len(ids):
                store.set_state(ids[number], what[1], NOON + timedelta(seconds=1))
                model.set(number, what[1])
                bench.feed.refresh()
            continue
        new = [(an_id(), each) for each in what] if kind == "events" else came[what : what + 2]
        came += new if kind == "events" else []
        bench.take(*(a_message(event_type, message_id) for message_id, event_type in new))
        for message_id, event_type in new:
            model.event(message_id, event_type)
        assert _real(store, ids) == seen(model.alarms)
    assert _real(store, ids) == seen(model.alarms)


def _real(store: SqlStore, ids: list[str]) -> list[dict[str, Any]]:
    found = []
    for each in ids:
        alarm = store.get(each)
        states = enumerate(alarm.leaf_states)
        found.append(
            {
                "state": alarm.state,
                "told": len(store.deliveries(alarm_id=each)),
                "conditions": [(at, state) for at, state in states if state is not UNKNOWN],
            }
        )
    return found


def _alarm(tree: Tree, repeats: bool, ids: list[str], number: int) -> Alarm:
    changes = {"alarm_id": ids[number], "repeat_actions": repeats}
    if tree[0] == "event":
        return an_event_alarm(tree[1], **changes)
    rule = _rule(tree, ids)
    assert isinstance(rule, CompositeRule)
    return composite(rule, **changes)


def _rule(tree: Tree, ids: list[str]) -> CompositeRule | EventRule | Reference:
    kind, what = tree
    if kind == "event":
        return a_rule(what)
    if kind == "alarm":
        return Reference(ids[what])
    parts = [_rule(part, ids) for part in what]
    return all_of(*parts) if kind == "and" else any_of(*parts)
