"""What is in progress is kept from one look to the next, and only news are recorded."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from pipeline.notification import (
    Delivered,
    Delivery,
    Failed,
    InProgress,
    Outcome,
    Progress,
    Refused,
)
from pipeline.retry import LATEST_LOOK, DeadLetter, Done, LookAgainAt, RetryAt, Step
from pipeline.store.sql import SqlStore

from builders import NOON
from store.storing import LEASE, a_due_delivery, an_attempt

QUEUED: Progress = {"queue_item": 12, "why": "Waiting for “build1” \u0000"}
BUILDING: Progress = {"queue_item": 12, "build": 7}


def _claim(store: SqlStore, at: datetime) -> Delivery:
    (delivery,) = store.claim(10, LEASE, at)
    return delivery


def _settle(store: SqlStore, outcome: Outcome, step: Step, at: datetime = NOON) -> Delivery:
    """Claim the only delivery, let an attempt at it end so, and give it as it was claimed."""
    delivery = _claim(store, at)
    store.finish([(delivery, an_attempt(delivery, outcome, at), step)])
    return delivery


def _look(
    store: SqlStore, progress: Progress, minute: int, since: datetime = NOON
) -> tuple[Delivery, datetime]:
    """Look at it in that minute, the next look a minute later."""
    at = NOON + timedelta(minutes=minute)
    outcome = InProgress("runs", progress, timedelta(minutes=1), 201, "head")
    step = LookAgainAt(at + timedelta(minutes=1), since)
    return _settle(store, outcome, step, at), at


def test_progress_comes_back_with_the_next_attempt_and_counts_as_no_failure(
    store: SqlStore,
) -> None:
    delivery_id = a_due_delivery(store)

    first, _ = _look(store, QUEUED, 0)
    assert (first.progress, first.in_progress_since) == (None, None)
    assert store.claim(10, LEASE, NOON + timedelta(seconds=59)) == []
    second, _ = _look(store, BUILDING, 1)
    third = _claim(store, NOON + timedelta(minutes=2))

    assert (second.progress, second.in_progress_since) == (QUEUED, NOON)
    assert (third.progress, third.in_progress_since) == (BUILDING, NOON)
    assert (second.attempts, third.attempts) == (0, 0)
    record, _, attempts = store.delivery(delivery_id)
    assert (record.state, record.attempts, record.last_error) == ("pending", 2, "")
    assert [attempt.number for attempt in attempts] == [1, 2]
    assert attempts[0].outcome == InProgress("runs", {}, timedelta(), 201, "head")
    assert len(store.deliveries(outcome="in-progress")) == 1


def test_a_look_that_finds_nothing_new_is_not_recorded(store: SqlStore) -> None:
    delivery_id = a_due_delivery(store)
    for minute in range(4):
        _look(store, QUEUED, minute)

    record, told, attempts = store.delivery(delivery_id)

    assert (record.attempts, len(attempts)) == (1, 1)
    assert record.due_at == NOON + timedelta(minutes=4)
    assert told.attempts == 0


def test_failures_before_and_between_looks_still_count(store: SqlStore) -> None:
    delivery_id = a_due_delivery(store)
    again = NOON + timedelta(minutes=1)
    _settle(store, Failed("reset"), RetryAt(again))
    _look(store, QUEUED, 1)
    _settle(
        store, Failed("bug"), RetryAt(NOON + timedelta(minutes=3)), NOON + timedelta(minutes=2)
    )

    delivery = _claim(store, NOON + timedelta(minutes=3))

    assert delivery.attempts == 2
    assert (delivery.progress, delivery.in_progress_since) == (QUEUED, None)
    assert store.delivery(delivery_id)[0].attempts == 3


@pytest.mark.parametrize(
    ("outcome", "step", "state"),
    [
        (Delivered(200, note="SUCCESS", progress={"build": 7}), Done(), "delivered"),
        (Refused("FAILURE", progress={"build": 7}), DeadLetter("refused: FAILURE"), "dead"),
    ],
)
def test_how_it_ended_stays_with_the_delivery(
    store: SqlStore, outcome: Outcome, step: Step, state: str
) -> None:
    delivery_id = a_due_delivery(store)
    _look(store, QUEUED, 0)
    _settle(store, outcome, step, NOON + timedelta(minutes=1))

    record, told, attempts = store.delivery(delivery_id)

    assert (record.state, told.progress, told.in_progress_since) == (state, {"build": 7}, None)
    assert getattr(attempts[-1].outcome, "note", "") == getattr(outcome, "note", "")


def test_a_dead_letter_that_is_replayed_begins_anew(store: SqlStore) -> None:
    a_due_delivery(store)
    _look(store, QUEUED, 0)
    _settle(store, Refused("FAILURE"), DeadLetter("FAILURE"), NOON + timedelta(minutes=1))

    store.replay_dead(NOON + timedelta(hours=1))

    delivery = _claim(store, NOON + timedelta(hours=1))
    assert (delivery.progress, delivery.in_progress_since) == (None, None)
    assert delivery.attempts == 0


def test_a_look_by_who_lost_the_lease_is_recorded_but_changes_nothing(store: SqlStore) -> None:
    delivery_id = a_due_delivery(store)
    loser = _claim(store, NOON)
    holder = _claim(store, NOON + LEASE)
    look = InProgress("runs", QUEUED, timedelta())

    for _ in range(2):
        store.finish([(loser, an_attempt(loser, look), LookAgainAt(NOON, NOON))])

    record, told, attempts = store.delivery(delivery_id)
    assert (told.lease, told.progress) == (holder.lease, None)
    assert record.due_at == NOON + 2 * LEASE
    assert len(attempts) == 1


def test_no_look_is_put_off_by_a_clock_that_was_ahead(store: SqlStore) -> None:
    """A look that is not recorded leaves no attempt by which to know the wrong time."""
    a_due_delivery(store)
    _look(store, QUEUED, 0)
    year = 365 * 24 * 60
    _look(store, QUEUED, year)

    assert store.bring_forward(LEASE, NOON + timedelta(minutes=5)) == 1
    assert _claim(store, NOON + timedelta(minutes=5)).progress == QUEUED


def test_a_look_that_is_due_soon_is_left_alone(store: SqlStore) -> None:
    a_due_delivery(store)
    _settle(store, InProgress("runs", QUEUED, LATEST_LOOK), LookAgainAt(NOON + LATEST_LOOK, NOON))

    assert store.bring_forward(LEASE, NOON) == 0
