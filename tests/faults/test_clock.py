"""The machine's clock is set: what was put off by a clock that was ahead does not wait for it.

Set ahead, all that waits is due at once, and whoever is claimed twice keeps its id. Set back, it
would have to wait until the clock has come so far again: hours, or years after a boot without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.receiver import Receiver, Reply
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import an_alarm
from delivery.notifying import notifier
from faults.working import a_body, a_worker, take
from waiting import eventually, running

HOUR = timedelta(hours=1)
LEASE_SECONDS = 120.0
POLL = {"poll_seconds": 0.05, "lease_seconds": LEASE_SECONDS}


class SettableClock:
    """The true time, and how far the machine is from it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def store(database_url: str, clock: SettableClock) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), clock=clock) as store:
        yield store


def fire(store: SqlStore, clock: SettableClock, url: str) -> None:
    """Let one event fire one alarm."""
    store.create(an_alarm(all_projects=True, alarm_actions=(url,)))
    take(a_worker(store, clock=clock), [a_body("m-1")])


def delivered(store: SqlStore) -> int:
    return store.counts().deliveries_by_state["delivered"]


@pytest.mark.parametrize("ahead", [timedelta(minutes=1), HOUR, timedelta(days=5_000)])
def test_event_that_fired_while_the_clock_was_ahead_is_told_at_once(
    store: SqlStore, clock: SettableClock, receiver: Receiver, ahead: timedelta
) -> None:
    clock.ahead = ahead
    fire(store, clock, receiver.url)
    clock.ahead = timedelta()
    with running(notifier(store, clock=clock, **POLL)):
        eventually(lambda: delivered(store) == 1, "the delivery")


def test_clock_that_is_set_back_under_a_running_notifier_holds_up_nothing(
    store: SqlStore, clock: SettableClock, receiver: Receiver
) -> None:
    with running(notifier(store, clock=clock, **POLL)):
        fire(store, clock, f"{receiver.url}/1")
        eventually(lambda: delivered(store) == 1, "the first")
        clock.ahead = HOUR
        fire(store, clock, f"{receiver.url}/2")
        eventually(lambda: delivered(store) == 2, "the second")
        clock.ahead = -HOUR
        fire(store, clock, f"{receiver.url}/3")
        eventually(lambda: delivered(store) == 3, "the third")


def test_delivery_that_failed_while_the_clock_was_ahead_is_tried_again(
    store: SqlStore, clock: SettableClock
) -> None:
    replies = [Reply(503), Reply(200)]
    with Receiver(answer=lambda callback: replies.pop(0)) as receiver:
        clock.ahead = HOUR
        fire(store, clock, receiver.url)
        with running(notifier(store, clock=clock, retry_delays_seconds=(1.0,) * 5, **POLL)):
            eventually(lambda: len(store.deliveries(outcome="failed")) == 1, "it fails")
            clock.ahead = timedelta()
            eventually(lambda: delivered(store) == 1, "the second try")
        first, second = (callback.headers["webhook-id"] for callback in receiver.callbacks)
    assert first == second


def test_delivery_of_who_died_while_the_clock_was_ahead_is_free_after_a_lease_at_most(
    store: SqlStore, clock: SettableClock, receiver: Receiver
) -> None:
    lease = timedelta(seconds=LEASE_SECONDS)
    clock.ahead = HOUR
    fire(store, clock, receiver.url)
    (claimed,) = store.claim(1, lease, clock())
    clock.ahead = timedelta()
    with running(notifier(store, clock=clock, **POLL)):
        eventually(lambda: delivered(store) == 1, "the delivery")
    assert receiver.callbacks[0].headers["webhook-id"] == claimed.delivery_id


def test_what_waits_for_a_true_time_goes_on_waiting(store: SqlStore, clock: SettableClock) -> None:
    """A lease that another holds, and a retry that is not due, whoever looks at the clock."""
    lease = timedelta(seconds=LEASE_SECONDS)
    with Receiver(answer=lambda callback: Reply(503)) as receiver:
        fire(store, clock, f"{receiver.url}/held")
        (held,) = store.claim(1, lease, clock())
        fire(store, clock, f"{receiver.url}/put-off")
        impatient = notifier(store, clock=clock, retry_delays_seconds=(3_600.0,), **POLL)
        assert impatient.run_once() == 1
        before = {record.delivery_id: record.due_at for record in store.deliveries()}
        assert store.bring_forward(lease, clock()) == 0
        assert {record.delivery_id: record.due_at for record in store.deliveries()} == before
        assert held.delivery_id in before


def test_clock_that_is_set_ahead_makes_everything_due_under_its_own_id(
    store: SqlStore, clock: SettableClock
) -> None:
    """delivery 3: also what another notifier holds at this moment, which may repeat it."""
    replies = [Reply(503), Reply(200), Reply(200)]
    with Receiver(answer=lambda callback: replies.pop(0)) as receiver:
        fire(store, clock, f"{receiver.url}/put-off")
        assert notifier(store, clock=clock, retry_delays_seconds=(3_600.0,)).run_once() == 1
        fire(store, clock, f"{receiver.url}/held")
        (held,) = store.claim(1, timedelta(seconds=LEASE_SECONDS), clock())
        clock.ahead = 2 * HOUR
        with running(notifier(store, clock=clock, **POLL)):
            eventually(lambda: delivered(store) == 2, "both")
        ids = {callback.path: callback.headers["webhook-id"] for callback in receiver.callbacks}
    assert ids["/held"] == held.delivery_id
    assert len({callback.headers["webhook-id"] for callback in receiver.callbacks}) == 2
