"""PostgreSQL ends transactions for reasons of its own: what was to be written is written again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.receiver import Receiver
from pipeline.store import database
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import an_alarm
from delivery.notifying import notifier
from faults import failing
from faults.postgresql_server import OwnPostgresql
from faults.working import a_body, a_worker, take
from listeners.rabbitmq_broker import Log
from waiting import eventually, running

REPEATS = {"all_projects": True, "repeat_actions": True}


@pytest.fixture
def store(own_postgresql: OwnPostgresql) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=own_postgresql.url)) as store:
        yield store


@pytest.mark.parametrize("failure", failing.FAILURES)
@pytest.mark.parametrize("table", ["firing", "delivery"])
def test_event_is_recorded_once_although_its_transaction_failed(
    store: SqlStore, own_postgresql: OwnPostgresql, table: str, failure: str
) -> None:
    """delivery 1, 2"""
    failing.prepare(own_postgresql)
    alarm = store.create(an_alarm(**REPEATS))
    log = Log()
    worker = a_worker(store, log)
    failing.fail_once(own_postgresql, table, failure)

    take(worker, [a_body("m-1"), a_body("m-2")])

    assert failing.failed(own_postgresql, table, failure)
    assert len(log.lines("store.unavailable")) == 1
    types = [entry.type for entry in store.history(alarm.alarm_id)]
    assert types.count("state transition") == store.counts().firings == 2
    assert store.counts().deliveries_by_state["pending"] == 2
    assert store.counts().rejected == 0


@pytest.mark.parametrize("failure", failing.FAILURES)
@pytest.mark.parametrize("table", ["delivery", "attempt"])
def test_outcome_is_recorded_although_its_transaction_failed(
    store: SqlStore, own_postgresql: OwnPostgresql, table: str, failure: str
) -> None:
    """delivery 3, 10"""
    failing.prepare(own_postgresql)
    with Receiver() as receiver:
        store.create(an_alarm(**REPEATS, alarm_actions=(receiver.url,)))
        take(a_worker(store), [a_body("m-1"), a_body("m-2")])
        failing.fail_once(own_postgresql, table, failure)
        with running(notifier(store, poll_seconds=0.05)):
            eventually(lambda: store.counts().deliveries_by_state["delivered"] == 2, "both")
        assert failing.failed(own_postgresql, table, failure)
        assert len(receiver.callbacks) == 2, "an outcome is written again, not got again"


def test_workers_that_meet_on_a_serializable_database_make_each_transition_once(
    store: SqlStore, own_postgresql: OwnPostgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner may make that the default; then PostgreSQL itself refuses whoever comes second."""
    # The connections that are dropped here have hardly rested.
    monkeypatch.setattr(database, "_FRESH_SECONDS", 0.0)
    own_postgresql.execute(
        "ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'"
    )
    try:
        own_postgresql.drop_connections()
        hot = store.create(an_alarm(**REPEATS))
        first = store.create(an_alarm(all_projects=True))
        logs = [Log(), Log()]
        workers = [a_worker(store, log) for log in logs]
        ids = [f"m-{n}" for n in range(150)]
        together = threading.Barrier(2)

        def take_all(number: int) -> None:
            together.wait(30)
            for start in range(0, len(ids), 3):
                take(workers[number], map(a_body, ids[start : start + 3]))

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(take_all, range(2)))
    finally:
        own_postgresql.execute("ALTER DATABASE postgres RESET default_transaction_isolation")
    refused = [line for log in logs for line in log.lines("store.unavailable")]
    assert any("serialize" in line["error"] for line in refused), "else this has shown nothing"
    types = {
        alarm.alarm_id: [entry.type for entry in store.history(alarm.alarm_id)]
        for alarm in (hot, first)
    }
    assert types[hot.alarm_id].count("state transition") == len(ids)
    assert types[first.alarm_id].count("state transition") == 1
    assert store.counts().rejected == 0
