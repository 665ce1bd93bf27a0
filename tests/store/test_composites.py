"""Composite alarms in the store: references, cycles, and what people's changes make of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from pipeline.alarms.alarm import Alarm, Reference, State
from pipeline.dispatch import Entry
from pipeline.errors import Conflict, InvalidValue, NotFound
from pipeline.store.applying import Wanted
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_composite, a_rule, all_of, an_alarm, an_id, any_of
from store.storing import Clock

OK, ALARM, UNKNOWN = State.OK, State.ALARM, State.INSUFFICIENT_DATA
A, B = a_rule("a"), a_rule("b")


def an_alarm_in(state: State, name: str = "leaf", **changes: Any) -> Alarm:
    return an_alarm(name=name, state=state, **changes)


def state_of(store: SqlStore, alarm: Alarm) -> State:
    return store.get(alarm.alarm_id).state


# --- references ------------------------------------------------------------------------------


def test_a_composite_alarm_comes_back_as_it_was_with_ids_in_place_of_names(
    store: SqlStore,
) -> None:
    """alarms 5"""
    disk = store.create(an_alarm(name="disk"))
    rule = all_of(A, any_of(Reference("disk"), B))

    made = store.create(a_composite(rule, leaf_states=(), project_id=""))

    assert made.rule == all_of(A, any_of(disk, B))
    assert store.get(made.alarm_id) == made
    assert (made.type, made.revision) == ("composite", 2)
    store.update(replace(disk, name="other"))
    assert store.get(made.alarm_id).rule == made.rule
    creation = store.history(made.alarm_id)[-1]
    assert json.loads(creation.detail)["rule"] == made.rule.as_dict()


def test_a_reference_that_leads_nowhere_is_refused_whole(store: SqlStore) -> None:
    for name in ("net", "net"):
        store.create(an_alarm(name=name, project_id="p"))
    revision = store.counts().revision
    for text, changes, message in (
        ("dsk", {}, "no alarm 'dsk'"),
        ("net", {"project_id": "p"}, "more than one alarm is named 'net'. Use an id: "),
        ("net", {"project_id": "q"}, "no alarm 'net' in project 'q'"),
    ):
        with pytest.raises(InvalidValue, match=message):
            store.create(a_composite(any_of(Reference(text)), **changes))
    assert (store.counts().alarms, store.counts().revision) == (2, revision)


def test_alarms_made_together_may_refer_to_each_other_by_name(store: SqlStore) -> None:
    top = a_composite(any_of(Reference("middle")), name="top")
    middle = a_composite(all_of(Reference("leaf"), A), name="middle")
    leaf = an_alarm(name="leaf")

    assert store.create_many(iter([top, leaf, middle])) == 3

    assert store.get(top.alarm_id).rule == any_of(middle)
    assert store.get(middle.alarm_id).rule == all_of(leaf, A)


def test_an_alarm_that_is_referred_to_cannot_be_deleted(store: SqlStore) -> None:
    leaf = store.create(an_alarm(name="leaf"))
    top = store.create(a_composite(any_of(leaf), name="top"))

    with pytest.raises(Conflict, match="alarm 'leaf' is referenced by 'top'"):
        store.delete(leaf.alarm_id)

    store.update(replace(top, rule=any_of(A)))
    store.delete(leaf.alarm_id)
    with pytest.raises(NotFound):
        store.get(leaf.alarm_id)


def test_an_alarm_whose_users_are_deleted_with_it_may_go(store: SqlStore) -> None:
    leaf = store.create(an_alarm())
    top = store.create(a_composite(any_of(leaf)))

    store.apply(Wanted([], [], [leaf, top], [], "files", []))

    assert store.counts().alarms == 0


def test_an_alarm_may_not_leave_the_project_of_who_refers_to_it(store: SqlStore) -> None:
    leaf = store.create(an_alarm(name="leaf", project_id="p"))
    top = store.create(a_composite(any_of(leaf), name="top", project_id="p"))

    with pytest.raises(Conflict, match="'leaf' is referenced by 'top' of project 'p'"):
        store.update(replace(leaf, project_id="q"))
    with pytest.raises(InvalidValue, match="there is no alarm"):
        store.update(replace(top, project_id="q"))

    store.update(replace(top, all_projects=True))
    assert store.update(replace(leaf, project_id="q")).project_id == "q"


def test_a_cycle_is_refused_and_its_way_is_named(store: SqlStore) -> None:
    low = store.create(a_composite(any_of(A), name="low"))
    middle = store.create(a_composite(any_of(A, low), name="middle"))
    top = store.create(a_composite(any_of(middle, A), name="top"))

    for rule, way in (
        (any_of(low), "'low' → 'low'"),
        (any_of(A, middle), "'low' → 'middle' → 'low'"),
        (all_of(any_of(top)), "'low' → 'top' → 'middle' → 'low'"),
    ):
        with pytest.raises(InvalidValue, match=f"would refer to itself: {way}"):
            store.update(replace(low, rule=rule))

    assert store.get(low.alarm_id) == low


def test_alarms_that_are_made_together_may_not_make_a_cycle(store: SqlStore) -> None:
    one = a_composite(any_of(Reference("two")), name="one")
    two = a_composite(any_of(Reference("one")), name="two")

    with pytest.raises(InvalidValue, match="'one' → 'two' → 'one'"):
        store.create_many([one, two])

    assert store.counts().alarms == 0


def test_two_people_cannot_make_a_cycle_together(store: SqlStore) -> None:
    """Each change alone would be none."""
    for _ in range(5):
        one, two = (store.create(a_composite(any_of(A))) for _ in range(2))
        both = threading.Barrier(2)

        def refer(pair: tuple[Alarm, Alarm], both: threading.Barrier = both) -> bool:
            both.wait(30)
            try:
                store.update(replace(pair[0], rule=any_of(pair[1])))
            except InvalidValue:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(refer, [(one, two), (two, one)]))
        assert sorted(done) == [False, True]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sets(st.integers(0, 5), min_size=1, max_size=3)),
        max_size=12,
    )
)
def test_whatever_people_do_nobody_refers_to_itself(
    store: SqlStore, edits: list[tuple[int, set[int]]]
) -> None:
    """A change is refused if, and only if, it would close a cycle."""
    alarms = [store.create(a_composite(any_of(A))) for _ in range(6)]
    refers: dict[int, set[int]] = {number: set() for number in range(6)}
    for number, others in edits:
        wanted = {**refers, number: others}
        closes = _reaches(wanted, number)
        rule = any_of(A, *(alarms[each] for each in sorted(others)))
        try:
            store.update(replace(alarms[number], rule=rule))
        except InvalidValue:
            assert closes
        else:
            assert not closes
            refers = wanted


def _reaches(refers: dict[int, set[int]], start: int) -> bool:
    seen: set[int] = set()
    waiting = set(refers[start])
    while waiting:
        here = waiting.pop()
        seen.add(here)
        waiting |= refers[here] - seen
    return start in seen


# --- what people's changes make of them ------------------------------------------------------


def test_a_new_composite_alarm_is_evaluated_at_once(store: SqlStore, clock: Clock) -> None:
    leaf = store.create(an_alarm_in(ALARM, name="leaf"))

    top = store.create(a_composite(any_of(leaf), alarm_actions=("https://a/", "https://b/")))

    assert (top.state, top.state_timestamp) == (ALARM, clock.now)
    assert top.state_reason == (
        "Composite rule alarm with composition form: (rule1) transition to alarm, due to rules:"
        " rule1 outside their threshold."
    )
    history = store.history(top.alarm_id)
    assert [entry.type for entry in history] == ["state transition", "creation"]
    deliveries = store.deliveries(alarm_id=top.alarm_id)
    assert sorted(each.action for each in deliveries) == ["https://a/", "https://b/"]
    _, delivery, _ = store.delivery(deliveries[0].delivery_id)
    assert delivery.notification.reason_data == {
        "type": "composite",
        "composition_form": "(rule1)",
        "causative_rules": {"rule1": {"alarm": leaf.alarm_id, "name": "leaf"}},
    }


def test_a_new_alarm_about_events_alone_keeps_the_state_that_it_is_given(store: SqlStore) -> None:
    made = store.create(a_composite(all_of(A, B), state=OK))
    assert (made.state, made.leaf_states) == (OK, (OK, OK))
    assert store.create(a_composite(any_of(A), state=ALARM)).leaf_states == ()


def test_setting_a_state_by_hand_is_passed_on_through_all_that_refer(store: SqlStore) -> None:
    x, y = (store.create(an_alarm_in(OK)) for _ in range(2))
    low = store.create(a_composite(all_of(x, y), name="low"))
    top = store.create(a_composite(any_of(low), name="top"))
    other = store.create(a_composite(any_of(y), name="other"))
    assert [state_of(store, each) for each in (low, top, other)] == [OK, OK, OK]

    store.set_state(x.alarm_id, ALARM, NOON)
    assert [state_of(store, each) for each in (low, top, other)] == [OK, OK, OK]
    store.set_state(y.alarm_id, ALARM, NOON)
    assert [state_of(store, each) for each in (low, top, other)] == [ALARM, ALARM, ALARM]
    store.set_state(x.alarm_id, UNKNOWN, NOON)
    assert [state_of(store, each) for each in (low, top, other)] == [UNKNOWN, UNKNOWN, ALARM]
    store.set_state(y.alarm_id, OK, NOON)
    assert [state_of(store, each) for each in (low, top, other)] == [OK, OK, OK]

    states = [json.loads(e.detail)["state"] for e in store.history(top.alarm_id)]
    assert states[:-1] == [OK, UNKNOWN, ALARM, OK]
    assert len(store.deliveries(alarm_id=top.alarm_id)) == 4


def test_setting_the_state_of_a_composite_alarm_sets_its_conditions_and_tells_above(
    store: SqlStore,
) -> None:
    """alarms 11"""
    low = store.create(a_composite(any_of(A, B)))
    top = store.create(a_composite(any_of(low)))

    set_ = store.set_state(low.alarm_id, OK, NOON)

    assert (set_.state, set_.leaf_states) == (OK, (OK, OK))
    assert store.get(low.alarm_id) == set_
    assert store.deliveries(alarm_id=low.alarm_id) == []
    assert state_of(store, top) is OK
    assert store.set_state(low.alarm_id, UNKNOWN, NOON).leaf_states == ()


def test_a_change_of_the_rule_is_evaluated_and_any_other_is_not(store: SqlStore) -> None:
    x, y = store.create(an_alarm_in(ALARM)), store.create(an_alarm_in(OK))
    top = store.create(a_composite(any_of(x)))
    assert top.state is ALARM
    top = store.set_state(top.alarm_id, OK, NOON)

    top = store.update(replace(top, name="another"))
    assert top.state is OK
    top = store.update(replace(top, rule=any_of(x, y)))
    assert top.state is ALARM
    top = store.update(replace(top, rule=all_of(x, y)))
    assert top.state is OK
    assert [each.type for each in store.history(top.alarm_id)][:2] == [
        "state transition",
        "rule change",
    ]


def test_an_alarm_that_was_disabled_catches_up_when_it_is_enabled(store: SqlStore) -> None:
    x = store.create(an_alarm_in(OK))
    top = store.create(a_composite(any_of(x), enabled=False))
    store.set_state(x.alarm_id, ALARM, NOON)
    assert state_of(store, top) is UNKNOWN

    assert store.update(replace(top, enabled=True)).state is ALARM


def test_an_event_alarm_may_become_a_composite_one_and_the_other_way_round(
    store: SqlStore,
) -> None:
    x = store.create(an_alarm_in(ALARM))
    low = store.create(an_alarm(name="low"))
    top = store.create(a_composite(any_of(low)))

    low = store.update(replace(low, type="composite", rule=any_of(x)))
    assert (low.state, state_of(store, top)) == (ALARM, ALARM)
    low = store.update(replace(low, type="event", rule=A))
    store.delete(x.alarm_id)
    store.set_state(low.alarm_id, OK, NOON)
    assert state_of(store, top) is OK


def test_where_a_transition_goes_is_planned_by_the_entries_of_its_transaction(
    database_url: str,
) -> None:
    seen: list[set[str]] = []

    def plan(transitions: Any, entries: Any) -> list[list[str]]:
        known: list[Entry] = list(entries)
        seen.append({entry.name for entry in known})
        return [["target:planned"] for _ in transitions]

    with SqlStore.open(DatabaseSettings(url=database_url), plan=plan) as store:
        top = store.create(a_composite(any_of(store.create(an_alarm_in(ALARM)))))
        (delivery,) = store.deliveries(alarm_id=top.alarm_id)
    assert delivery.action == "target:planned"
    assert "default-matcher" in seen[0]


def test_what_people_do_at_once_ends_as_if_one_had_come_after_the_other(
    store: SqlStore,
) -> None:
    """No deadlock, and no change that a composite alarm has not seen."""
    leaves = [store.create(an_alarm_in(OK, name=f"leaf {n}")) for n in range(4)]
    tops = [store.create(a_composite(all_of(*leaves), name="all"))]
    tops.append(store.create(a_composite(any_of(*leaves, tops[0]), name="any")))

    def set_all(order: Callable[[list[Alarm]], list[Alarm]]) -> None:
        for state in (ALARM, OK, ALARM):
            for leaf in order(list(leaves)):
                store.set_state(leaf.alarm_id, state, NOON)

    def change(_: Any) -> None:
        for number in range(6):
            made = store.create(a_composite(any_of(*leaves, tops[1]), name=an_id()))
            store.update(replace(made, rule=all_of(leaves[number % 4], A)))
            store.delete(made.alarm_id)

    with ThreadPoolExecutor(3) as pool:
        running = [
            pool.submit(set_all, list),
            pool.submit(set_all, lambda all_: all_[::-1]),
            pool.submit(change, None),
        ]
        for each in running:
            each.result(timeout=120)

    assert [state_of(store, each) for each in (*leaves, *tops)] == [ALARM] * 6
