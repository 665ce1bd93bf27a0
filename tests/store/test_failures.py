"""What becomes of the store when processes die, meet, and lose their database (delivery 1, 2)."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from pipeline.alarms.alarm import State
from pipeline.errors import StoreUnavailable
from pipeline.retry import Done
from pipeline.store import database
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_event
from store.storing import LEASE, a_due_delivery, an_attempt, fire

TESTS = Path(__file__).resolve().parents[1]

DIE_IN_A_TRANSACTION = """
import sys, time
sys.path.insert(0, sys.argv[3])
from builders import a_transition, an_alarm
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

store = SqlStore.open(DatabaseSettings(url=sys.argv[1]))
with store.begin() as transaction:
    (alarm,) = transaction.lock_alarms([sys.argv[2]]).values()
    transaction.save_transitions([a_transition(alarm) for _ in range(50)])
    print("written", flush=True)
    time.sleep(600)
"""

FIRE_ALL = """
import sys
sys.path.insert(0, sys.argv[2])
from builders import a_transition, an_event
from pipeline.alarms.alarm import State
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

store = SqlStore.open(DatabaseSettings(url=sys.argv[1]))
_, alarms = store.all_enabled()
ids = [alarm.alarm_id for alarm in alarms]
events = [an_event(message_id=f"message-{number}") for number in range(20)]
print("ready", flush=True)
sys.stdin.readline()
fired = 0
for event in events:
    with store.begin() as transaction:
        alarms = transaction.lock_alarms(ids)
        before = transaction.fired([(alarm_id, event.message_id) for alarm_id in ids])
        fresh = [a for a in alarms.values() if (a.alarm_id, event.message_id) not in before]
        transaction.save_transitions([a_transition(alarm, event) for alarm in fresh])
        fired += len(fresh)
print(fired)
"""


def test_killed_process_leaves_nothing_half_written(store: SqlStore, database_url: str) -> None:
    alarm = store.create(an_alarm())
    before = store.counts()
    process = _process(DIE_IN_A_TRANSACTION, database_url, alarm.alarm_id, str(TESTS))
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"

    process.kill()
    process.communicate(timeout=60)

    assert fire(store, alarm)  # nobody holds the alarm any more
    after = store.counts()
    assert (before.firings, after.firings) == (0, 1)
    assert after.deliveries_by_state["pending"] == 1


def test_same_events_in_several_processes_fire_once_each(
    store: SqlStore, database_url: str
) -> None:
    """Events in 3: across workers."""
    store.create_many(an_alarm() for _ in range(10))
    processes = [_process(FIRE_ALL, database_url, str(TESTS)) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], answers
    assert sum(int(answer) for answer, _ in answers) == 200
    assert store.counts().firings == 200
    assert store.counts().deliveries_by_state["pending"] == 200


def test_alarm_that_two_events_fire_at_once_has_one_transition(store: SqlStore) -> None:
    """Alarms 11: without repeat_actions a second match is silent."""
    alarm = store.create(an_alarm())
    start = threading.Barrier(4)

    def fire_unless_fired(_: int) -> bool:
        start.wait(timeout=60)
        with store.begin() as transaction:
            (stands,) = transaction.lock_alarms([alarm.alarm_id]).values()
            if stands.state is State.ALARM:
                return False
            transaction.save_transitions([a_transition(stands, an_event())])
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(fire_unless_fired, range(4))) == [False, False, False, True]


def test_workers_that_meet_on_the_same_alarms_do_not_deadlock(store: SqlStore) -> None:
    alarms = [an_alarm() for _ in range(50)]
    store.create_many(alarms)
    ids = [alarm.alarm_id for alarm in alarms]

    def fire_in_this_order(order: list[str]) -> None:
        for _ in range(5):
            with store.begin() as transaction:
                locked = transaction.lock_alarms(order)
                event = an_event()
                transaction.save_transitions(
                    [a_transition(locked[alarm_id], event) for alarm_id in order]
                )

    def change_them(_: list[str]) -> None:
        for alarm in alarms:
            store.update(replace(alarm, name="changed"))

    with ThreadPoolExecutor(4) as pool:
        tasks = [
            pool.submit(fire_in_this_order, ids),
            pool.submit(fire_in_this_order, ids[::-1]),
            pool.submit(change_them, ids),
        ]
        for task in tasks:
            task.result(timeout=120)

    assert store.counts().firings == 500
    assert len(store.search({"name": "changed", "state": "alarm"})) == 50


def test_dead_notifier_gives_its_deliveries_up_when_the_lease_ends(
    store: SqlStore, database_url: str
) -> None:
    """Delivery 1, 3."""
    delivery_id = a_due_delivery(store)
    with SqlStore.open(DatabaseSettings(url=database_url)) as notifier:
        assert len(notifier.claim(10, LEASE, NOON)) == 1

    assert store.claim(10, LEASE, NOON) == []
    (again,) = store.claim(10, LEASE, NOON + LEASE)
    store.finish([(again, an_attempt(again), Done())])

    assert store.delivery(delivery_id)[0].state == "delivered"


# --- PostgreSQL ------------------------------------------------------------------------------


@pytest.fixture
def on_postgresql(postgresql_url: str) -> Iterator[SqlStore]:
    url = postgresql_url.replace("postgres@", "postgres:s3cret@")
    with SqlStore.open(DatabaseSettings(url=url)) as store:
        yield store


def test_lost_connection_is_an_unavailable_store_and_the_next_call_works(
    on_postgresql: SqlStore, postgresql_url: str
) -> None:
    store = on_postgresql
    alarm = store.create(an_alarm())

    def lose_it_in_a_transaction() -> None:
        with store.begin() as transaction:
            transaction.lock_alarms([alarm.alarm_id])
            _end_connections(postgresql_url)
            transaction.save_transitions([a_transition(alarm)])

    with pytest.raises(StoreUnavailable) as raised:
        lose_it_in_a_transaction()

    assert "terminating connection" in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert str(raised.value).startswith(store.name)
    assert isinstance(raised.value.__cause__, Exception)
    assert store.get(alarm.alarm_id) == alarm
    assert fire(store, alarm)


def test_connection_that_was_lost_while_it_rested_is_not_noticed(
    on_postgresql: SqlStore, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_FRESH_SECONDS", 0.0)
    alarm = on_postgresql.create(an_alarm())

    _end_connections(postgresql_url)

    assert on_postgresql.get(alarm.alarm_id) == alarm


def test_connection_that_was_lost_right_after_its_use_is_noticed_once(
    on_postgresql: SqlStore, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_FRESH_SECONDS", 3600.0)
    alarm = on_postgresql.create(an_alarm())

    _end_connections(postgresql_url)

    with pytest.raises(StoreUnavailable):
        on_postgresql.get(alarm.alarm_id)
    assert on_postgresql.get(alarm.alarm_id) == alarm


def test_connection_that_was_lost_before_the_commit_commits_nothing(
    on_postgresql: SqlStore, postgresql_url: str
) -> None:
    store = on_postgresql
    alarm = store.create(an_alarm())

    def lose_it_before_the_commit() -> None:
        with store.begin() as transaction:
            transaction.save_transitions([a_transition(alarm)])
            _end_connections(postgresql_url)

    with pytest.raises(StoreUnavailable):
        lose_it_before_the_commit()

    assert store.counts().firings == 0


def test_server_that_does_not_answer_is_an_unavailable_store() -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://tocsin:s3cret@127.0.0.1:{taken.getsockname()[1]}/tocsin"

        with pytest.raises(StoreUnavailable, match="refused") as raised:
            SqlStore.open(DatabaseSettings(url=url))

    assert "s3cret" not in str(raised.value)


def test_statement_that_takes_too_long_is_ended(postgresql_url: str) -> None:
    settings = DatabaseSettings(url=postgresql_url, statement_timeout_seconds=1)
    with (
        SqlStore.open(settings) as store,
        pytest.raises(StoreUnavailable, match="statement timeout"),
        store._database.read() as connection,
    ):
        connection.execute(text("SELECT pg_sleep(60)"))


def test_serialization_failures_are_worth_another_try(on_postgresql: SqlStore) -> None:
    with (
        pytest.raises(StoreUnavailable, match="deadlock"),
        on_postgresql._database.write() as connection,
    ):
        connection.execute(text("DO $$ BEGIN RAISE 'deadlock' USING ERRCODE = '40P01'; END $$"))


def test_mistake_in_a_statement_is_a_bug_and_not_an_unavailable_store(store: SqlStore) -> None:
    with (
        pytest.raises(Exception, match="no_such_table") as raised,
        store._database.read() as connection,
    ):
        connection.execute(text("SELECT * FROM no_such_table"))

    assert not isinstance(raised.value, StoreUnavailable)


def _end_connections(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


# --- SQLite ----------------------------------------------------------------------------------


def test_writer_that_holds_the_file_too_long_is_an_unavailable_store(sqlite_url: str) -> None:
    settings = DatabaseSettings(url=sqlite_url, statement_timeout_seconds=1)
    with SqlStore.open(settings) as store, SqlStore.open(settings) as other:
        alarm = store.create(an_alarm())
        with store.begin():
            assert other.get(alarm.alarm_id) == alarm  # readers do not wait
            with pytest.raises(StoreUnavailable, match="database is locked"):
                other.create(an_alarm())

        assert other.create(an_alarm()).revision == 2


def test_threads_take_turns_at_writing(sqlite_url: str) -> None:
    settings = DatabaseSettings(url=sqlite_url, statement_timeout_seconds=30)
    with SqlStore.open(settings) as store, ThreadPoolExecutor(8) as pool:
        alarms = list(pool.map(lambda _: store.create(an_alarm()), range(80)))

    assert sorted(alarm.revision for alarm in alarms) == list(range(1, 81))


def _process(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("postgresql://tocsin@127.0.0.1:1/x", "Start PostgreSQL there, or correct host and port"),
        ("sqlite:////proc/tocsin.sqlite", "Name a file in database.url that can be made"),
        (f"sqlite:///{__file__}", "Name another file in database.url"),
    ],
)
def test_a_database_that_cannot_be_had_is_said_with_how_to_mend_it(url: str, mend: str) -> None:
    with pytest.raises(StoreUnavailable, match=mend):
        SqlStore.open(DatabaseSettings(url=url))


def test_a_database_that_does_not_exist_is_to_be_created(postgresql_url: str) -> None:
    url = make_url(postgresql_url).set(database="tocsin_none_of_this_name")
    with pytest.raises(StoreUnavailable, match="createdb"):
        SqlStore.open(DatabaseSettings(url=url.render_as_string(hide_password=False)))
