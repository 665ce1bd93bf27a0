"""Deliveries arrive at least once, or end as dead letters; nothing is lost (delivery 1 to 6)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Delivery, Failed, InProgress, Outcome
from pipeline.notifier import Notifier
from pipeline.receiver import Callback, Receiver, Reply
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets.settings import DeliverySettings

from delivery.notifying import Clock, Log, notifier, outage, real_clock, tell
from waiting import eventually, running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[SqlStore]:
    settings = DatabaseSettings(url=database_url, statement_timeout_seconds=1.0)
    with SqlStore.open(settings, clock=clock) as store:
        yield store


def _answers(*replies: Reply) -> Receiver:
    """A receiver that gives these answers in turn, the last one for ever."""
    left = list(replies)
    return Receiver(answer=lambda callback: left.pop(0) if len(left) > 1 else left[0])


def _states(store: SqlStore) -> Counter[str]:
    return Counter(record.state for record in store.deliveries(limit=1000))


# --- outcomes ------------------------------------------------------------------------------------


def test_a_due_delivery_arrives_and_is_recorded(
    store: SqlStore, clock: Clock, receiver: Receiver
) -> None:
    """delivery 10."""
    tell(store, f"{receiver.url}/hook")

    assert notifier(store, clock=clock).run_once() == 1
    (record,) = store.deliveries()
    _, delivery, (attempt,) = store.delivery(record.delivery_id)
    (callback,) = receiver.callbacks
    assert (record.state, record.attempts) == ("delivered", 1)
    assert attempt.outcome == Delivered(200)
    assert (attempt.number, attempt.started_at) == (1, clock.now)
    assert callback.headers["webhook-id"] == record.delivery_id
    assert callback.json()["alarm_id"] == delivery.notification.alarm_id


def test_a_retry_does_not_wait_for_the_next_poll(database_url: str) -> None:
    """delivery 4: it is due when the schedule says."""
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        notify = notifier(store, poll_seconds=3600.0, retry_delays_seconds=(0.3, 0.3))
        with _answers(Reply(503), Reply(503), Reply(200)) as receiver:
            tell(store, receiver.url)
            with running(notify):
                eventually(lambda: _states(store)["delivered"] == 1)


def test_a_failed_delivery_is_tried_again_on_schedule_until_it_arrives(
    store: SqlStore, clock: Clock
) -> None:
    """delivery 3, 5: every attempt carries the same id."""
    notify = notifier(store, clock=clock)
    with _answers(Reply(503), Reply(500), Reply(200)) as receiver:
        tell(store, receiver.url)
        made = []
        for seconds in (0, 4, 2, 298, 3):
            clock.step(seconds=seconds)
            made.append(notify.run_once())

        ids = {callback.headers["webhook-id"] for callback in receiver.callbacks}
    (record,) = store.deliveries()
    _, _, attempts = store.delivery(record.delivery_id)
    assert made == [1, 0, 1, 0, 1]
    assert ids == {record.delivery_id}
    assert [type(attempt.outcome) for attempt in attempts] == [Failed, Failed, Delivered]
    assert [attempt.number for attempt in attempts] == [1, 2, 3]
    assert record.state == "delivered"


class _Job:
    """A target whose receiver is at it for three looks."""

    def __init__(self) -> None:
        self.seen: list[Delivery] = []

    def for_action(self, action: str) -> _Job:
        return self

    def deliver(self, delivery: Delivery) -> Outcome:
        self.seen.append(delivery)
        looks = len(self.seen)
        if looks > 3:
            return Delivered(note="it ran")
        return InProgress("it runs", {"look": looks}, timedelta(seconds=10))

    def close(self) -> None:
        pass


def test_what_is_in_progress_is_looked_at_until_it_has_ended(
    store: SqlStore, clock: Clock, log: Log
) -> None:
    """No retry is used up, and no thread waits meanwhile."""
    job = _Job()
    notify = notifier(store, clock=clock, log=log, targets=job, retry_delays_seconds=())
    tell(store, "test://job")

    made = [notify.run_once() for _ in range(9) if not clock.step(seconds=5)]

    assert made == [1, 0, 1, 0, 1, 0, 1, 0, 0]
    assert [seen.progress for seen in job.seen] == [None, {"look": 1}, {"look": 2}, {"look": 3}]
    assert _states(store) == {"delivered": 1}
    assert len(log.lines("delivery.in_progress")) == 3
    assert log.lines("delivery.failed") == []


def test_the_end_of_the_schedule_is_a_dead_letter(store: SqlStore, clock: Clock, log: Log) -> None:
    """delivery 5."""
    notify = notifier(store, clock=clock, log=log, retry_delays_seconds=(1.0, 10.0))
    with _answers(Reply(500, body=b"out of order")) as receiver:
        tell(store, receiver.url)
        made = [notify.run_once() for _ in range(5) if not clock.step(seconds=10)]
    (record,) = store.deliveries(state="dead")
    _, _, attempts = store.delivery(record.delivery_id)

    assert made == [1, 1, 1, 0, 0]
    assert record.last_error == "tried 3 times, at last: answered 500 Internal Server Error"
    assert [attempt.outcome.response_head for attempt in attempts] == ["out of order"] * 3
    assert len(log.lines("delivery.failed")) == 2
    assert [line["reason"] for line in log.lines("delivery.dead_letter")] == [record.last_error]


def test_retry_after_puts_the_next_attempt_off(store: SqlStore, clock: Clock) -> None:
    """delivery 4."""
    notify = notifier(store, clock=clock)
    with _answers(Reply(429, {"Retry-After": "60"}), Reply(200)) as receiver:
        tell(store, receiver.url)
        made = [notify.run_once() for _ in range(4) if not clock.step(seconds=20)]
        made += [notify.run_once()]

    assert made == [1, 0, 0, 1, 0]


def test_a_refused_delivery_is_a_dead_letter_at_once(store: SqlStore, clock: Clock) -> None:
    """delivery 4."""
    with _answers(Reply(404)) as receiver:
        tell(store, receiver.url)
        notifier(store, clock=clock).run_once()
    (record,) = store.deliveries(outcome="refused")

    assert (record.state, record.last_error) == ("dead", "refused: answered 404 Not Found")


def test_410_disables_the_action_until_a_person_enables_it(store: SqlStore, clock: Clock) -> None:
    """delivery 4."""
    notify = notifier(store, clock=clock)
    with _answers(Reply(410), Reply(200)) as receiver:
        tell(store, receiver.url)
        notify.run_once()
        tell(store, receiver.url, f"{receiver.url}/other")
        notify.run_once()
        bodies_sent = len(receiver.callbacks)
        dead = store.deliveries(state="dead")
        replayed = store.replay_dead(clock.now)
        notify.run_once()

        assert (bodies_sent, len(receiver.callbacks)) == (2, 4)
    errors = sorted(record.last_error for record in dead)
    assert errors[0].startswith("refused: answered 410 Gone: it wants nothing more from us")
    assert errors[1].startswith("refused: its action is disabled (answered 410 Gone")
    assert "`tocsin dead-letter replay` enables it" in errors[1]
    assert replayed == 2
    assert _states(store) == {"delivered": 3}


def test_an_unknown_scheme_is_a_dead_letter_that_names_the_known(
    store: SqlStore, clock: Clock
) -> None:
    tell(store, "htp://host/")
    notifier(store, clock=clock).run_once()
    (record,) = store.deliveries(state="dead")

    assert "unknown action 'htp'. Use one of " in record.last_error
    assert "Did you mean 'http'?" in record.last_error


class _Broken:
    """Targets with a bug."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def for_action(self, action: str) -> Any:
        raise self._error


@pytest.mark.parametrize("error", [ZeroDivisionError("s3cr3t"), SystemExit("s3cr3t")])
def test_a_bug_in_a_target_is_logged_and_the_delivery_kept(
    store: SqlStore, clock: Clock, log: Log, error: BaseException
) -> None:
    tell(store, "test://")
    notifier(store, clock=clock, log=log, targets=_Broken(error)).run_once()
    (record,) = store.deliveries(state="pending")
    _, _, (attempt,) = store.delivery(record.delivery_id)

    assert attempt.outcome == Failed(f"Tocsin failed on it: {type(error).__name__}")
    assert [call.method_name for call in log.calls if call.args == ("delivery.bug",)] == [
        "exception"
    ]


def test_no_secret_of_an_action_is_logged_or_recorded(
    store: SqlStore, clock: Clock, log: Log
) -> None:
    notify = notifier(store, clock=clock, log=log, retry_delays_seconds=(1.0,))
    with Receiver(answer=lambda callback: Reply(503, body=repr(callback).encode())) as receiver:
        host = receiver.url.replace("://", "://user:hunter22@")
        tell(store, f"{host}/hook?token=t0ken-1234")
        notify.run_once()
    clock.step(seconds=1)
    notify.run_once()
    tell(store, "htp://user:hunter22@host/?token=t0ken-1234")
    notify.run_once()
    shown = [repr(log.calls)]
    for record in store.deliveries():
        shown += [record.last_error, repr(store.delivery(record.delivery_id)[2])]

    assert _states(store) == {"dead": 2}
    assert "webhook-id" in "".join(shown)
    for secret in ("hunter22", "t0ken-1234", "dXNlcjpodW50ZXIyMg"):
        assert secret not in "".join(shown)


# --- many at a time ------------------------------------------------------------------------------


def test_more_than_there_are_threads_for_are_all_delivered_once(
    store: SqlStore, clock: Clock, receiver: Receiver
) -> None:
    tell(store, *[f"{receiver.url}/{n}" for n in range(30)])

    assert notifier(store, clock=clock, threads=4, per_target_concurrency=2).run_once() == 30
    assert sorted(c.path for c in receiver.callbacks) == sorted(f"/{n}" for n in range(30))
    assert _states(store) == {"delivered": 30}


def test_two_notifiers_share_the_work(store: SqlStore, clock: Clock, receiver: Receiver) -> None:
    tell(store, *[receiver.url] * 30)
    both = [notifier(store, clock=clock, threads=3) for _ in range(2)]
    threads = [threading.Thread(target=one.run_once) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = [callback.headers["webhook-id"] for callback in receiver.callbacks]
    assert (len(ids), len(set(ids))) == (30, 30)
    assert _states(store) == {"delivered": 30}


def test_a_receiver_that_hangs_does_not_stop_the_others(
    store: SqlStore, receiver: Receiver, ended: threading.Event
) -> None:
    """delivery 8: however many wait for it, and though they were due first."""

    def hang(callback: Callback) -> Reply:
        ended.wait(60)
        return Reply()

    settings = {"threads": 3, "per_target_concurrency": 2, "poll_seconds": 3600.0}
    with Receiver(answer=hang) as hanging:
        tell(store, *[hanging.url] * 40, *[receiver.url] * 5)
        with running(notifier(store, **settings)):
            receiver.wait_for(5, timeout_seconds=30)
            eventually(lambda: _states(store)["delivered"] == 5)

            left_for_others = store.claim(99, timedelta(), real_clock())
            assert len(hanging.callbacks) == 2
            assert len(left_for_others) == 37
            ended.set()


# --- running -------------------------------------------------------------------------------------


def test_a_wake_delivers_without_waiting_for_the_poll(
    store: SqlStore, receiver: Receiver, log: Log
) -> None:
    notify = notifier(store, log=log, poll_seconds=3600.0)
    with running(notify):
        eventually(lambda: bool(log.lines("notifier.started")))
        for count in (1, 2):
            tell(store, receiver.url)
            notify.wake()
            receiver.wait_for(count, timeout_seconds=30)

    assert _states(store) == {"delivered": 2}


def test_without_a_wake_the_poll_finds_what_is_due(store: SqlStore, receiver: Receiver) -> None:
    with running(notifier(store, poll_seconds=0.05)):
        for count in (1, 2):
            tell(store, receiver.url)
            receiver.wait_for(count, timeout_seconds=30)

    assert _states(store) == {"delivered": 2}


def test_stop_lets_what_is_in_flight_end_and_gives_the_rest_back(
    store: SqlStore, clock: Clock
) -> None:
    going_on = threading.Event()

    def slow(callback: Callback) -> Reply:
        going_on.wait(30)
        return Reply()

    notify = notifier(store, clock=clock, threads=3, per_target_concurrency=1)
    with Receiver(answer=slow) as receiver:
        tell(store, *[receiver.url] * 3)
        with running(notify) as thread:
            receiver.wait_for(1, timeout_seconds=30)
            notify.stop()
            eventually(lambda: len(store.claim(9, timedelta(), clock.now)) == 2)
            going_on.set()
            thread.join(30)

        assert len(receiver.callbacks) == 1
    assert _states(store) == {"delivered": 1, "pending": 2}


def test_a_second_stop_ends_at_once(store: SqlStore, clock: Clock, log: Log) -> None:
    hanging = threading.Event()

    def hang(callback: Callback) -> Reply:
        hanging.wait(60)
        return Reply()

    notify = notifier(store, clock=clock, log=log, read_timeout_seconds=60.0)
    with Receiver(answer=hang) as receiver:
        tell(store, receiver.url)
        with running(notify) as thread:
            receiver.wait_for(1, timeout_seconds=30)
            notify.stop()
            notify.stop()
            thread.join(30)

            assert not thread.is_alive()
            hanging.set()
    assert [line["deliveries"] for line in log.lines("notifier.not_drained")] == [1]
    assert _states(store) == {"pending": 1}


def test_a_lease_must_outlast_an_attempt(store: SqlStore) -> None:
    settings = DeliverySettings(lease_seconds=30.0)

    with pytest.raises(InvalidValue, match=r"lease_seconds: 30 s is not longer than .* 30 s"):
        Notifier(
            outbox=store,
            targets=_Broken(AssertionError()),
            settings=settings,
            clock=Clock(),
            random=float,
            log=0,
        )


# --- crashes and outages -------------------------------------------------------------------------


def test_what_was_delivered_and_not_recorded_is_delivered_again_with_the_same_id(
    store: SqlStore, clock: Clock, receiver: Receiver
) -> None:
    """delivery 1, 3: the crash comes between the answer and its record."""
    tell(store, receiver.url)
    crashed = notifier(store, clock=clock)
    for delivery in store.claim(1, timedelta(seconds=120), clock.now):
        crashed._attempt(delivery)
    second = notifier(store, clock=clock)
    made = [second.run_once() for seconds in (119, 2) if not clock.step(seconds=seconds)]

    ids = [callback.headers["webhook-id"] for callback in receiver.callbacks]
    assert made == [0, 1]
    assert (len(ids), len(set(ids))) == (2, 1)
    assert _states(store) == {"delivered": 1}


def test_an_outcome_outlives_an_outage_of_the_store(
    store: SqlStore, database_url: str, log: Log
) -> None:
    """What has arrived is not delivered again because the database was away."""
    answering = threading.Event()

    def answer(callback: Callback) -> Reply:
        answering.wait(30)
        return Reply()

    with Receiver(answer=answer) as receiver:
        tell(store, receiver.url)
        with running(notifier(store, log=log, poll_seconds=0.05)):
            receiver.wait_for(1, timeout_seconds=30)
            with outage(database_url):
                answering.set()
                # A look for what is due may have found the store away before the answer came.
                eventually(lambda: 1 in _unrecorded(log))
            eventually(lambda: _states(store) == {"delivered": 1})

        assert len(receiver.callbacks) == 1


def _unrecorded(log: Log) -> list[int]:
    return [line["unrecorded"] for line in log.lines("notifier.store_unavailable")]


def test_a_notifier_waits_for_a_store_that_is_away(
    store: SqlStore, database_url: str, receiver: Receiver, log: Log
) -> None:
    tell(store, receiver.url)
    with outage(database_url), running(notifier(store, log=log, poll_seconds=0.05)):
        eventually(lambda: len(log.lines("notifier.store_unavailable")) >= 2)
        assert receiver.callbacks == []
    with running(notifier(store, log=log)):
        receiver.wait_for(1, timeout_seconds=30)

    assert _states(store) == {"delivered": 1}


@pytest.fixture
def start(database_url: str) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a notifier process; what is left of them at the end is killed."""
    program = Path(__file__).with_name("notifier_process.py")
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, str(program), database_url]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(30)


def test_kill_9_at_any_moment_loses_nothing(
    store: SqlStore, start: Callable[[], subprocess.Popen[bytes]], ended: threading.Event
) -> None:
    """delivery 1, 3: a real process dies; what it held is delivered when its lease has ended."""

    def slowly(callback: Callback) -> Reply:
        ended.wait(0.02)
        return Reply()

    with Receiver(answer=slowly) as receiver:
        tell(store, *[f"{receiver.url}/{n}" for n in range(60)])
        process = start()
        for came in (1, 15, 30):
            receiver.wait_for(came, timeout_seconds=60)
            process.kill()
            process.wait(30)
            process = start()
        eventually(lambda: _states(store) == {"delivered": 60})

        ids: dict[str, set[str]] = {}
        for callback in receiver.callbacks:
            ids.setdefault(callback.path, set()).add(callback.headers["webhook-id"])
    assert len(ids) == 60
    assert all(len(one) == 1 for one in ids.values())
