"""A notifier hears at once of what other processes write, and of what they wrote unheard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue

import psycopg
import pytest

from pipeline.arrivals import ArrivalWatch
from pipeline.notification import Attempt, Refused
from pipeline.retry import DeadLetter
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm
from delivery.notifying import Log
from waiting import DEADLINE_SECONDS, eventually, running


class Watched:
    """A watch at work on the database, and each time that it woke the notifier."""

    def __init__(self, store: SqlStore) -> None:
        self.wakes: SimpleQueue[None] = SimpleQueue()
        self.log = Log()
        self.part = ArrivalWatch(store, lambda: self.wakes.put(None), self.log)

    def woken(self) -> None:
        self.wakes.get(timeout=DEADLINE_SECONDS)


@pytest.fixture
def watched(database_url: str) -> Iterator[Watched]:
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        watched = Watched(store)
        with running(watched.part):
            watched.woken()  # once at the beginning
            yield watched


@pytest.fixture
def elsewhere(database_url: str) -> Iterator[SqlStore]:
    """The same database, as another process has it open."""
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        yield store


def test_notifier_is_woken_by_what_another_process_writes(
    watched: Watched, elsewhere: SqlStore
) -> None:
    """Delivery 3: nothing waits for the next poll."""
    _fire(elsewhere)

    watched.woken()


def test_dead_letters_that_are_replayed_wake_the_notifier(
    watched: Watched, elsewhere: SqlStore
) -> None:
    _fire(elsewhere)
    watched.woken()
    (delivery,) = elsewhere.claim(1, timedelta(seconds=60), datetime.now(UTC))
    gone = Attempt(delivery.delivery_id, 1, NOON, 0.1, Refused("no"))
    elsewhere.finish([(delivery, gone, DeadLetter("no"))])
    while not watched.wakes.empty():
        watched.woken()

    assert elsewhere.replay_dead(datetime.now(UTC)) == 1

    watched.woken()


def test_lost_connection_is_made_again_and_what_was_written_meanwhile_is_looked_for(
    postgresql_url: str,
) -> None:
    with SqlStore.open(DatabaseSettings(url=postgresql_url)) as store:
        watched = Watched(store)
        with running(watched.part):
            watched.woken()
            with psycopg.connect(postgresql_url, autocommit=True) as administrator:
                administrator.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                )

            watched.woken()
            assert watched.log.lines("arrivals.lost")
            _fire(store)
            watched.woken()


def test_nothing_is_heard_of_what_was_undone(postgresql_url: str) -> None:
    with SqlStore.open(DatabaseSettings(url=postgresql_url)) as store:
        alarm = store.create(an_alarm(alarm_actions=("log://",)))
        with store.arrivals() as arrived:
            with suppress(KeyError), store.begin() as transaction:
                transaction.save_transitions([a_transition(alarm)])
                raise KeyError("undone")

            assert not arrived(0)
            _fire(store)
            assert eventually(lambda: arrived(0.1), "the word of a commit")


def _fire(store: SqlStore) -> None:
    alarm = store.create(an_alarm(alarm_actions=("log://",)))
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(alarm)])
