"""A disk that is full for a while: what came in waits, nothing is acknowledged in vain or lost."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import StoreUnavailable
from pipeline.receiver import Callback, Receiver, Reply
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import an_alarm
from faults import full_disk
from faults.working import a_body, a_worker, take
from processes import TocsinProcess
from waiting import eventually

LIMIT_BYTES = 32 * 1024
"""More than the process logs here, less than SQLite's log of changes holds already."""


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=sqlite_url)) as store:
        yield store


@pytest.fixture
def environment(sqlite_url: str) -> dict[str, str]:
    return {
        "TOCSIN_DATABASE_URL": sqlite_url,
        "TOCSIN_HTTP_PORT": "0",
        "TOCSIN_DELIVERY_POLL_SECONDS": "0.1",
    }


def accepted(port: int, message_id: str) -> bool:
    """Whether the event was taken; a client that is told no, or nothing, comes again."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/events",
        a_body(message_id),
        {"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return bool(response.status == 202)
    except (urllib.error.URLError, TimeoutError):
        return False


def test_events_that_come_while_the_disk_is_full_are_taken_when_it_is_not(
    store: SqlStore, environment: dict[str, str], tmp_path: Path
) -> None:
    """delivery 1, 2"""
    ids = [f"m-{n}" for n in range(12)]
    receiver = Receiver()
    alarm = an_alarm(all_projects=True, repeat_actions=True, alarm_actions=(receiver.url,))
    store.create(alarm)
    with (
        receiver,
        TocsinProcess("run", environment=environment, log_path=tmp_path / "log") as run,
        ThreadPoolExecutor(len(ids)) as clients,
    ):
        port = run.wait_for_log("http.listening")["port"]
        full_disk.fill([run.pid], LIMIT_BYTES)

        def insist(message_id: str) -> None:
            eventually(lambda: accepted(port, message_id), f"{message_id} is accepted", seconds=60)

        taken = [clients.submit(insist, message_id) for message_id in ids]
        line = run.wait_for_log("store.unavailable")
        assert "disk" in line["error"]
        assert store.counts().firings == 0
        assert [client for client in taken if client.done()] == []

        full_disk.free([run.pid])
        for client in taken:
            client.result(timeout=60)
        eventually(lambda: store.counts().deliveries_by_state["delivered"] == len(ids), "all")
        assert run.terminate() == 0
    types = [entry.type for entry in store.history(alarm.alarm_id)]
    assert types.count("state transition") == store.counts().firings == len(ids)
    assert len({callback.headers["webhook-id"] for callback in receiver.callbacks}) == len(ids)


def test_outcome_that_comes_while_the_disk_is_full_is_recorded_when_it_is_not(
    store: SqlStore, environment: dict[str, str], tmp_path: Path
) -> None:
    """delivery 3, 10: not recorded is not forgotten, and nobody is told twice for it."""
    may_answer = threading.Event()

    def answer(callback: Callback) -> Reply:
        may_answer.wait(30)
        return Reply(200)

    with (
        Receiver(answer=answer) as receiver,
        TocsinProcess("notifier", environment=environment, log_path=tmp_path / "log") as notifier,
    ):
        store.create(an_alarm(all_projects=True, alarm_actions=(receiver.url,)))
        take(a_worker(store), [a_body("m-1")])
        receiver.wait_for(1, timeout_seconds=30)
        full_disk.fill([notifier.pid], LIMIT_BYTES)
        may_answer.set()
        assert notifier.wait_for_log("notifier.store_unavailable")["unrecorded"] == 1
        assert store.counts().deliveries_by_state["pending"] == 1

        full_disk.free([notifier.pid])
        eventually(lambda: store.counts().deliveries_by_state["delivered"] == 1, "recorded")
        assert notifier.terminate() == 0
        assert len(receiver.callbacks) == 1


def test_database_that_may_not_grow_is_an_unavailable_store_until_it_may(store: SqlStore) -> None:
    """SQLite's own word for a full disk (SQLITE_FULL)."""
    alarms = [an_alarm() for _ in range(2_000)]
    with store._database.write() as connection:
        (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="full"):
        store.create_many(alarms)
    with store._database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert store.create_many(alarms) == len(alarms)
