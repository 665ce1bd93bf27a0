"""Dead letters: listed, shown, replayed and purged (delivery 5)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from pipeline.errors import NotFound
from pipeline.notification import Failed, Refused
from pipeline.retry import DeadLetter, Done, RetryAt
from pipeline.store.sql import SqlStore

from builders import NOON, a_caller, an_alarm
from store.storing import LEASE, a_due_delivery, an_attempt, fire

MUCH_LATER = NOON + timedelta(days=3)


def test_dead_letter_says_when_and_why_it_died(store: SqlStore) -> None:
    delivery_id = _die(store, at=NOON + timedelta(minutes=1))

    (record,) = store.deliveries(state="dead")

    assert (record.delivery_id, record.last_error) == (delivery_id, "given up")
    assert (record.due_at, record.finished_at) == (None, NOON + timedelta(minutes=1, seconds=0.5))
    assert store.claim(10, LEASE, MUCH_LATER) == []


def test_replayed_letter_is_due_with_a_fresh_schedule_and_the_same_id(store: SqlStore) -> None:
    """Delivery 3: every attempt of one delivery carries the same id."""
    delivery_id = a_due_delivery(store)
    for number in range(3):
        (delivery,) = store.claim(1, LEASE, NOON + number * LEASE)
        step = DeadLetter("given up") if number == 2 else RetryAt(NOON)
        store.finish([(delivery, an_attempt(delivery, Failed("slow")), step)])

    assert store.replay_dead(MUCH_LATER, delivery_id=delivery_id) == 1

    assert store.claim(10, LEASE, MUCH_LATER - timedelta(seconds=1)) == []
    (again,) = store.claim(10, LEASE, MUCH_LATER)
    assert (again.delivery_id, again.attempts) == (delivery_id, 0)
    store.finish([(again, an_attempt(again), Done())])
    record, _, attempts = store.delivery(delivery_id)
    assert (record.state, record.attempts) == ("delivered", 4)
    assert [attempt.number for attempt in attempts] == [1, 2, 3, 4]


def test_replay_chooses_by_action_and_by_time_of_death(store: SqlStore) -> None:
    a, b = "https://a.example/", "https://b.example/"
    early, late = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    _die(store, a, at=early)
    _die(store, a, at=late)
    wanted = _die(store, b, at=late)
    _die(store, b, at=early)

    between = late - timedelta(minutes=1), late + timedelta(minutes=1)
    count = store.replay_dead(MUCH_LATER, action=b, since=between[0], until=between[1])

    assert count == 1
    assert [delivery.delivery_id for delivery in store.claim(9, LEASE, MUCH_LATER)] == [wanted]
    assert store.replay_dead(MUCH_LATER, until=early - timedelta(minutes=1)) == 0
    assert store.replay_dead(MUCH_LATER) == 3


def test_who_is_held_to_projects_replays_and_purges_theirs_alone(store: SqlStore) -> None:
    """notifications 14"""
    mine, theirs = (_die(store, project_id=project_id) for project_id in ("p-1", "p-2"))
    held = a_caller(projects=frozenset({"p-1"}))

    assert store.replay_dead(MUCH_LATER, delivery_id=theirs, by=held) == 0
    assert store.purge_dead(delivery_id=theirs, by=held) == 0
    assert store.replay_dead(MUCH_LATER, by=held) == 1
    assert store.delivery(mine)[0].state == "pending"
    assert store.purge_dead(by=held) == 0
    assert store.delivery(theirs)[0].state == "dead"
    assert store.purge_dead() == 1


def test_replay_enables_for_others_only_what_is_the_callers(store: SqlStore) -> None:
    """notifications 14"""
    _die(store, "target:mail", gone=True, project_id="p-1")
    _die(store, "https://b.example/", gone=True, project_id="p-2")
    nameless = a_caller(projects=frozenset({"p-1"}), names=frozenset())

    assert store.replay_dead(MUCH_LATER, action="https://b.example/", by=nameless) == 0
    assert store.replay_dead(MUCH_LATER, by=nameless) == 1

    assert set(store.counts().disabled_actions) == {"target:mail", "https://b.example/"}
    (again,) = store.claim(9, LEASE, MUCH_LATER)
    store.finish([(again, an_attempt(again, Refused("gone")), DeadLetter("gone"))])
    named = a_caller(projects=frozenset({"p-1"}), names=frozenset({"mail"}))
    assert store.replay_dead(MUCH_LATER, by=named) == 1
    assert set(store.counts().disabled_actions) == {"https://b.example/"}


def test_replay_leaves_what_is_not_dead_alone(store: SqlStore) -> None:
    delivery_id = a_due_delivery(store)

    assert store.replay_dead(MUCH_LATER, delivery_id=delivery_id) == 0
    assert store.replay_dead(MUCH_LATER, delivery_id="unknown") == 0

    assert len(store.claim(10, LEASE, NOON)) == 1


def test_replay_enables_the_actions_it_is_about(store: SqlStore) -> None:
    """Delivery 4: disabled by a 410, until a person asks for it again."""
    a, b = "https://a.example/", "https://b.example/"
    in_a, _ = _die(store, a, gone=True), _die(store, b, gone=True)
    assert store.counts().disabled_actions == {a: "gone", b: "gone"}

    store.replay_dead(MUCH_LATER, delivery_id=in_a)
    assert store.counts().disabled_actions == {b: "gone"}

    store.purge_dead()
    store.replay_dead(MUCH_LATER, action=b)
    assert store.counts().disabled_actions == {}


def test_purged_letters_are_gone_for_good(store: SqlStore) -> None:
    kept = _die(store, at=NOON + timedelta(hours=2))
    purged = _die(store, at=NOON)

    assert store.purge_dead(until=NOON + timedelta(hours=1)) == 1

    assert [record.delivery_id for record in store.deliveries()] == [kept]
    with pytest.raises(NotFound):
        store.delivery(purged)


def test_purge_chooses_by_id_and_action(store: SqlStore) -> None:
    one = _die(store, "https://a.example/")
    _die(store, "https://b.example/")

    assert store.purge_dead(delivery_id=one, action="https://b.example/") == 0
    assert store.purge_dead(delivery_id=one) == 1
    assert store.purge_dead(action="https://b.example/") == 1
    assert store.deliveries() == []


def test_purge_keeps_what_the_other_deliveries_of_a_notification_tell(store: SqlStore) -> None:
    alarm = store.create(an_alarm(alarm_actions=("https://a.example/", "https://b.example/")))
    fire(store, alarm)
    dies, lives = store.claim(10, LEASE, NOON)
    store.finish([(dies, an_attempt(dies, Failed("slow")), DeadLetter("given up"))])

    assert store.purge_dead() == 1

    _, told, _ = store.delivery(lives.delivery_id)
    assert told.notification == lives.notification


def test_attempt_at_a_purged_delivery_is_dropped(store: SqlStore) -> None:
    a_due_delivery(store)
    (loser,) = store.claim(10, LEASE, NOON)
    (holder,) = store.claim(10, LEASE, NOON + LEASE)
    store.finish([(holder, an_attempt(holder, Failed("slow")), DeadLetter("given up"))])
    store.purge_dead()

    store.finish([(loser, an_attempt(loser), Done())])

    assert store.deliveries() == []


def _die(
    store: SqlStore,
    action: str = "https://receiver.example/hook",
    at: datetime = NOON,
    gone: bool = False,
    project_id: str = "",
) -> str:
    delivery_id = a_due_delivery(store, action, at=at, project_id=project_id)
    (delivery,) = store.claim(1, LEASE, at)
    outcome = Refused("gone", 410, gone=True) if gone else Failed("slow")
    store.finish([(delivery, an_attempt(delivery, outcome, at=at), DeadLetter("given up"))])
    return delivery_id
