"""What tests of the store do again and again."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline.alarms.alarm import Alarm, State
from pipeline.event import Event
from pipeline.notification import Attempt, Delivered, Delivery, Outcome
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_event

LEASE = timedelta(seconds=60)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **by: float) -> None:
        self.now += timedelta(**by)


def fire(
    store: SqlStore,
    alarm: Alarm,
    event: Event | None = None,
    *,
    at: datetime = NOON,
    current: State = State.ALARM,
) -> bool:
    """Let an event fire an alarm as the worker does it; whether it did."""
    event = event or an_event()
    with store.begin() as transaction:
        locked = transaction.lock_alarms([alarm.alarm_id])
        pair = (alarm.alarm_id, event.message_id)
        if alarm.alarm_id not in locked or pair in transaction.fired([pair]):
            return False
        stands = locked[alarm.alarm_id]
        transaction.save_transitions([a_transition(stands, event, current=current, at=at)])
        return True


def a_due_delivery(
    store: SqlStore,
    action: str = "https://receiver.example/hook",
    at: datetime = NOON,
    project_id: str = "",
) -> str:
    """Let a new alarm with this one action fire; the id of the delivery."""
    alarm = store.create(an_alarm(alarm_actions=(action,), project_id=project_id))
    fire(store, alarm, at=at)
    (record,) = store.deliveries(alarm_id=alarm.alarm_id)
    return record.delivery_id


def an_attempt(delivery: Delivery, outcome: Outcome | None = None, at: datetime = NOON) -> Attempt:
    """An attempt at this delivery that took half a second."""
    return Attempt(
        delivery_id=delivery.delivery_id,
        number=delivery.attempts + 1,
        started_at=at,
        duration_seconds=0.5,
        outcome=outcome or Delivered(200, "thanks"),
    )
