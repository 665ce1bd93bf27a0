"""What is old is removed, in portions; what is young, or pending, never is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from pipeline.notification import Failed
from pipeline.retry import DeadLetter, Done
from pipeline.store import schema
from pipeline.store.archive import EventFilter, TraitFilter
from pipeline.store.base import RejectedEvent
from pipeline.store.retention import Kept
from pipeline.store.sql import SqlStore

from builders import NOON, an_alarm, an_event
from store.storing import LEASE, Clock, a_due_delivery, an_attempt, fire

DAY = timedelta(days=1)


def pruned(store: SqlStore, kept: Kept, before: datetime, portion: int = 500) -> list[int]:
    return list(store.prune(kept, before, portion))


def rows(store: SqlStore, table: Any) -> int:
    with store._database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def finished(store: SqlStore, at: datetime, dead: bool = False) -> str:
    """A delivery of a new alarm, made at a time and finished half a second later."""
    delivery_id = a_due_delivery(store, at=at)
    (claimed,) = store.claim(1, LEASE, at)
    outcome = Failed("no answer") if dead else None
    attempt = an_attempt(claimed, outcome, at=at)
    store.finish([(claimed, attempt, DeadLetter("no answer") if dead else Done())])
    return delivery_id


def test_delivered_go_with_their_attempts_and_notifications(store: SqlStore, clock: Clock) -> None:
    old = finished(store, NOON)
    clock.pass_time(days=2)
    young = finished(store, clock())

    assert store.prunable(Kept.DELIVERIES, NOON + DAY) == 1
    assert pruned(store, Kept.DELIVERIES, NOON + DAY) == [1]

    assert [record.delivery_id for record in store.deliveries()] == [young] != [old]
    assert rows(store, schema.attempt) == rows(store, schema.notification) == 1


def test_a_notification_stays_while_one_of_its_deliveries_does(store: SqlStore) -> None:
    alarm = store.create(an_alarm(alarm_actions=("https://a.example/", "https://b.example/")))
    fire(store, alarm)
    (first,) = store.claim(1, LEASE, NOON)
    store.finish([(first, an_attempt(first), Done())])

    assert pruned(store, Kept.DELIVERIES, NOON + 9 * DAY) == [1]

    (left,) = store.deliveries()
    assert left.state == "pending"
    assert store.delivery(left.delivery_id)[1].notification == first.notification


def test_pending_deliveries_and_dead_letters_are_not_delivered(store: SqlStore) -> None:
    """Delivery 5: a dead letter waits for a person, unless retention.dead_letters_days is set."""
    dead, pending = finished(store, NOON, dead=True), a_due_delivery(store)

    assert pruned(store, Kept.DELIVERIES, NOON + 9 * DAY) == []
    assert pruned(store, Kept.DEAD_LETTERS, NOON) == []
    assert {record.delivery_id for record in store.deliveries()} == {dead, pending}

    assert pruned(store, Kept.DEAD_LETTERS, NOON + 9 * DAY) == [1]
    assert [record.delivery_id for record in store.deliveries()] == [pending]


def test_a_dead_letter_that_is_replayed_stays(store: SqlStore) -> None:
    finished(store, NOON, dead=True)
    store.replay_dead(NOON + DAY)

    assert pruned(store, Kept.DEAD_LETTERS, NOON + 9 * DAY) == []
    assert len(store.deliveries(state="pending")) == 1


def test_dead_letters_do_not_stand_before_what_was_delivered(store: SqlStore) -> None:
    for n in range(3):
        finished(store, NOON + timedelta(minutes=n), dead=True)
    for n in range(3, 8):
        finished(store, NOON + timedelta(minutes=n))

    assert pruned(store, Kept.DELIVERIES, NOON + DAY, portion=2) == [2, 2, 1]
    assert len(store.deliveries(state="dead")) == 3


def test_a_redelivered_event_fires_once_until_its_firing_is_forgotten(store: SqlStore) -> None:
    """Events-in 3: within the retention time."""
    alarm = store.create(an_alarm(repeat_actions=True))
    event = an_event()
    assert fire(store, alarm, event, at=NOON)

    assert pruned(store, Kept.FIRINGS, NOON) == []
    assert not fire(store, alarm, event, at=NOON + DAY)

    assert pruned(store, Kept.FIRINGS, NOON + timedelta(seconds=1)) == [1]
    assert fire(store, alarm, event, at=NOON + DAY)


def test_a_notification_without_deliveries_goes_with_its_firing(store: SqlStore) -> None:
    silent = store.create(an_alarm(alarm_actions=()))
    loud = store.create(an_alarm())
    event = an_event()
    fire(store, silent, event)
    fire(store, loud, event)
    assert rows(store, schema.notification) == 2

    assert pruned(store, Kept.FIRINGS, NOON + DAY) == [2]

    assert rows(store, schema.notification) == 1
    assert len(store.deliveries(alarm_id=loud.alarm_id)) == 1


def test_history_goes_by_its_age(store: SqlStore, clock: Clock) -> None:
    """Alarms 22: retention configurable."""
    alarm = store.create(an_alarm())
    clock.pass_time(days=2)
    store.update(replace(alarm, name="renamed", timestamp=clock()))

    assert store.prunable(Kept.HISTORY, NOON + DAY) == 1
    assert pruned(store, Kept.HISTORY, NOON + DAY) == [1]
    assert [entry.type for entry in store.history(alarm.alarm_id)] == ["rule change"]


def test_rejected_events_and_deletions_go_by_their_age(store: SqlStore, clock: Clock) -> None:
    for n in range(2):
        rejected = RejectedEvent(f"r-{n}", "bad", b"{", None, {}, "test", clock())
        with store.begin() as transaction:
            transaction.save_rejected([rejected])
        store.delete(store.create(an_alarm(alarm_id=f"a-{n}")).alarm_id)
        clock.pass_time(days=2)

    assert pruned(store, Kept.REJECTED, NOON + DAY) == [1]
    assert pruned(store, Kept.DELETED_ALARMS, NOON + DAY) == [1]
    assert [one.rejected_id for one in store.rejected()] == ["r-1"]
    assert list(store.changes_since(0).deleted) == ["a-1"]


def test_archived_events_go_with_their_traits(store: SqlStore, clock: Clock) -> None:
    odd = {"n": 2**70, "x": float("nan"), "at": NOON, "text": "\0\ud800" + "x" * 300}
    store.keep_events([an_event(host="a", **odd), an_event(host="b", generated=NOON - 9 * DAY)])
    clock.pass_time(days=2)
    young = an_event(host="a")
    store.keep_events([young])

    assert store.prunable(Kept.EVENTS, NOON + DAY) == 2
    assert pruned(store, Kept.EVENTS, NOON + DAY) == [2]

    assert store.events(EventFilter(traits=(TraitFilter("host", "ne", "x"),))) == [young]
    assert rows(store, schema.event_trait) == 1


def test_the_archive_is_held_to_a_number_and_a_size(store: SqlStore) -> None:
    events = [an_event(message_id=f"m-{n}", generated=NOON - n * DAY) for n in range(7)]
    for event in events:
        store.keep_events([event])
    with store._database.read() as connection:
        each = connection.scalar(select(func.max(schema.event.c.bytes))) or 0

    assert store.excess_events(None, None) == (0, 0)
    assert store.excess_events(9, None) == store.excess_events(7, 7 * each) == (0, 0)
    assert store.excess_events(4, 6 * each) == (3, each)
    assert store.first_events(each + 1) == 2
    assert list(store.prune_oldest_events(3, each, portion=2)) == [2, 1]
    assert [e.message_id for e in store.events(EventFilter())] == ["m-3", "m-4", "m-5", "m-6"]
    assert list(store.prune_oldest_events(0, 2 * each - 1, portion=500)) == [2]
    assert [e.message_id for e in store.events(EventFilter())] == ["m-5", "m-6"]
    assert list(store.prune_oldest_events(99, 0, portion=500)) == [2]
    assert rows(store, schema.event_trait) == 0


def test_one_of_all_has_the_round(store: SqlStore) -> None:
    soon, later = NOON + timedelta(minutes=5), NOON + timedelta(minutes=9)

    assert store.claim_pruning("one", NOON, soon)
    assert not store.claim_pruning("two", NOON, soon)
    assert store.hold_pruning("one", later)
    assert not store.claim_pruning("two", soon, later)
    assert store.claim_pruning("two", later, later + DAY)
    assert not store.hold_pruning("one", later)


def test_a_round_that_a_wrong_clock_put_off_for_years_is_due(store: SqlStore) -> None:
    assert store.claim_pruning("one", NOON, NOON + 999 * DAY)

    assert store.claim_pruning("two", NOON, NOON + DAY)


# --- whatever happened, and whenever ---------------------------------------------------------

HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(["pending", "delivered", "dead", "silent", "rejected", "event"]),
        st.integers(0, 6),
    ),
    max_size=6,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(happenings=HAPPENINGS, kept=st.sampled_from(Kept), days=st.integers(0, 7))
def test_pruning_removes_what_is_old_and_nothing_else(
    store: SqlStore, clock: Clock, happenings: list[tuple[str, int]], kept: Kept, days: int
) -> None:
    """Nothing within its age goes, nothing pending, and nothing of another kind."""
    empty(store)
    for what, day in sorted(happenings, key=lambda one: one[1]):
        clock.now = NOON + day * DAY
        happen(store, what, clock())
    before = NOON + days * DAY
    expected = {each: set(ages(store, each)) for each in Kept}
    expected[kept] = {(key, age) for key, age in expected[kept] if age >= before}
    pending = {record.delivery_id for record in store.deliveries(state="pending")}

    removable = store.prunable(kept, before)
    # What goes in the order of its writing has to be near the beginning to be found.
    portion = 500 if kept in (Kept.HISTORY, Kept.EVENTS) else 2
    assert sum(pruned(store, kept, before, portion)) == removable

    assert {each: set(ages(store, each)) for each in Kept} == expected
    assert {record.delivery_id for record in store.deliveries(state="pending")} == pending
    for record in store.deliveries():
        assert len(store.delivery(record.delivery_id)[2]) == record.attempts


def happen(store: SqlStore, what: str, at: datetime) -> None:
    match what:
        case "pending":
            # Not due while the test runs, so that no other delivery's claim takes it.
            store.claim(9, 99 * DAY, at)
            a_due_delivery(store, at=at)
            store.claim(9, 99 * DAY, at)
        case "delivered" | "dead":
            finished(store, at, dead=what == "dead")
        case "silent":
            fire(store, store.create(an_alarm(alarm_actions=())), at=at)
        case "rejected":
            rejected = RejectedEvent(str(an_event().message_id), "bad", b"{", None, {}, "t", at)
            with store.begin() as transaction:
                transaction.save_rejected([rejected])
        case "event":
            store.keep_events([an_event(host="a")])


_AGES = {
    Kept.FIRINGS: (schema.firing.c.alarm_id, schema.firing.c.fired_at),
    Kept.HISTORY: (schema.alarm_history.c.event_id, schema.alarm_history.c.timestamp),
    Kept.CHANGES: (schema.change_history.c.sequence, schema.change_history.c.timestamp),
    Kept.TOKENS: (schema.api_token.c.token_id, schema.api_token.c.revoked_at),
    Kept.REJECTED: (schema.rejected_event.c.rejected_id, schema.rejected_event.c.received_at),
    Kept.DELETED_ALARMS: (schema.deleted_alarm.c.alarm_id, schema.deleted_alarm.c.deleted_at),
    Kept.EVENTS: (schema.event.c.message_id, schema.event.c.received_at),
}


def ages(store: SqlStore, kept: Kept) -> Iterator[tuple[str, datetime]]:
    """The keys of what there is, and from when it is."""
    delivery = schema.delivery.c
    if kept in _AGES:
        statement = select(*_AGES[kept])
    else:
        state = "dead" if kept is Kept.DEAD_LETTERS else "delivered"
        statement = select(delivery.delivery_id, delivery.finished_at)
        statement = statement.where(delivery.state == state)
    with store._database.read() as connection:
        yield from (tuple(row) for row in connection.execute(statement))


def empty(store: SqlStore) -> None:
    with store._database.write() as connection:
        for table in schema.metadata.sorted_tables:
            if table.name not in ("revision", "pruning"):
                connection.execute(table.delete())
