"""Whatever dies, breaks or jumps: nothing is lost, nothing fires twice, nothing is left over.

20,000 events go through RabbitMQ, two listeners, PostgreSQL and two notifiers, and some of them to
the archive and a queue as well, while one after another is killed, restarted or cut off
(`disturbances.py` names all), with poison among them and a receiver that is unwell at times.
TOCSIN_FAULTS_EVENTS and TOCSIN_FAULTS_MINUTES make it longer (`make faults`), TOCSIN_TEST_SEED
repeats the choices of a run. SQLite sees a shorter one.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.receiver import Callback, Receiver, Reply
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from faults import failing, verdict
from faults.disturbances import Disturbances, as_report, wait_random
from faults.fleet import Fleet
from faults.load import a_load, pipelines
from faults.poison import refuse_unrecordable
from faults.postgresql_server import OwnPostgresql
from faults.publishing import left, make_queues, publishers, sunk
from listeners.rabbitmq_server import OwnRabbitmq
from waiting import eventually

EVENTS = int(os.environ.get("TOCSIN_FAULTS_EVENTS") or 20_000)
SECONDS = float(os.environ.get("TOCSIN_FAULTS_MINUTES") or 0.75) * 60
_SHARE_ON_SQLITE = 0.1
_TO_SETTLE_SECONDS = 120
_TIMEOUT = SECONDS * 2 + 400


def environment(database_url: str, rabbitmq: OwnRabbitmq, pipelines: Path) -> dict[str, str]:
    """Settings under which what is broken is soon tried again."""
    return {
        "TOCSIN_DATABASE_URL": database_url,
        "TOCSIN_RABBITMQ_URLS": rabbitmq.url,
        "TOCSIN_RABBITMQ_EXCHANGES": "keystone",
        "TOCSIN_RABBITMQ_PRIORITIES": "info",
        "TOCSIN_RABBITMQ_DURABLE": "true",
        "TOCSIN_RABBITMQ_RECONNECT_MAX_SECONDS": "1",
        "TOCSIN_ROUTING_PIPELINES": str(pipelines),
        "TOCSIN_PUBLISHING_RETRY_DELAYS_SECONDS": "0.5,1",
        "TOCSIN_RETENTION_EVENTS_DAYS": "100000",
        "TOCSIN_HTTP_ENABLED": "false",
        "TOCSIN_DELIVERY_CONNECT_TIMEOUT_SECONDS": "0.5",
        "TOCSIN_DELIVERY_READ_TIMEOUT_SECONDS": "1",
        "TOCSIN_DELIVERY_LEASE_SECONDS": "4",
        "TOCSIN_DELIVERY_RETRY_DELAYS_SECONDS": "0.2,0.5,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
    }


class SometimesUnwell:
    """A receiver's answers: mostly well, at times 503, at times none before the time-out."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = random.Random(chance.random())

    def __call__(self, callback: Callback) -> Reply:
        wait_random(self._chance, 1.5 if self._chance.random() < 0.005 else 0.01)
        return Reply(503 if self._chance.random() < 0.05 else 200)


@pytest.mark.timeout(_TIMEOUT)
def test_nothing_is_lost_and_nothing_fires_twice_on_postgresql(
    own_postgresql: OwnPostgresql,
    own_rabbitmq: OwnRabbitmq,
    tmp_path: Path,
    chance: random.Random,
    record_property: Callable[[str, object], None],
) -> None:
    """delivery 1, 2, 3; events-in 3."""
    with SqlStore.open(DatabaseSettings(url=own_postgresql.url)) as store:
        failing.prepare(own_postgresql)
        report = run(store, own_rabbitmq, tmp_path, chance, EVENTS, SECONDS, own_postgresql)
    record_property("report", f"on PostgreSQL: {report}")


@pytest.mark.timeout(_TIMEOUT)
def test_nothing_is_lost_and_nothing_fires_twice_on_sqlite(
    sqlite_url: str,
    own_rabbitmq: OwnRabbitmq,
    tmp_path: Path,
    chance: random.Random,
    record_property: Callable[[str, object], None],
) -> None:
    """delivery 1, 2, 3; events-in 3."""
    events, seconds = int(EVENTS * _SHARE_ON_SQLITE), SECONDS * _SHARE_ON_SQLITE
    with SqlStore.open(DatabaseSettings(url=sqlite_url)) as store:
        report = run(store, own_rabbitmq, tmp_path, chance, events, seconds)
    record_property("report", f"on SQLite: {report}")


def run(
    store: SqlStore,
    rabbitmq: OwnRabbitmq,
    folder: Path,
    chance: random.Random,
    events: int,
    seconds: float,
    postgresql: OwnPostgresql | None = None,
) -> str:
    """Everything at once, and the verdict; what was done."""
    url = postgresql.url if postgresql else f"sqlite:///{folder / 'tocsin.sqlite'}"
    with Receiver(answer=SometimesUnwell(chance)) as receiver:
        load = a_load(events, receiver.url, chance)
        store.create_many(load.alarms)
        refuse_unrecordable(store)
        queue_type = chance.choice(("classic", "quorum"))
        make_queues(rabbitmq.url, queue_type)
        (folder / "pipelines.yaml").write_text(pipelines(rabbitmq.url))
        fleet = Fleet(environment(url, rabbitmq, folder / "pipelines.yaml"), folder)
        disturbances = Disturbances(fleet, rabbitmq, chance, postgresql)
        senders = publishers(rabbitmq.url, load.bodies, seconds)
        try:
            fleet.wait_until_started()
            for sender in senders:
                sender.start()
            until = time.monotonic() + seconds
            while time.monotonic() < until or not disturbances.all_done:
                wait_random(chance, 1.0)
                disturbances.next()
            eventually(
                lambda: fleet.supervise() or not any(sender.is_alive() for sender in senders),
                "all is sent",
                seconds=_TO_SETTLE_SECONDS,
            )
            eventually(
                lambda: fleet.supervise() or verdict.settled(store, load),
                "all is settled",
                seconds=_TO_SETTLE_SECONDS,
            )
            fleet.pass_leases()
            eventually(lambda: store.counts().publications == 0, "all is published")
            eventually(lambda: left(rabbitmq) == 0, "no message is left")
            fleet.terminate_all()
        finally:
            print(as_report("done:", disturbances.done), verdict.progress(store, load))
            fleet.close()
        assert left(rabbitmq) == 0, "something was acknowledged by nobody"
        assert fleet.refused_to_end == []
        verdict.no_row_is_stuck(store, load)
        verdict.each_event_made_one_transition(store, load)
        repeats = verdict.each_callback_came_under_one_id(store, load, receiver.callbacks)
        again = verdict.every_sink_got_every_event(store, load, sunk(rabbitmq.url))
        verdict.nothing_was_a_bug(fleet.log())
    return as_report(
        f"{events:,} events through {queue_type} queues",
        disturbances.done + fleet.ended_by_itself,
        messages_published=len(load.bodies),
        publisher_interruptions=sum(sender.interrupted for sender in senders),
        poison_messages_rejected=len(load.rejected),
        transitions=load.transitions,
        events_in_the_sinks=len(load.published),
        repeats_in_the_sink_queue=again,
        callbacks=load.transitions + repeats,
        callbacks_that_were_repeats=repeats,
    )
