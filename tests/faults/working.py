"""A worker on a real store, handed its batches by the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from pipeline import yaml_source
from pipeline.alarms.live import LiveAlarms
from pipeline.event import Event
from pipeline.feed import AlarmFeed
from pipeline.listeners.base import Message
from pipeline.normalise import Normaliser, NormaliseSettings, compiled
from pipeline.routing import load_routes
from pipeline.store.base import Publication
from pipeline.store.sql import SqlStore
from pipeline.worker import Worker

from listeners.rabbitmq_broker import Log
from messages import a_notification

_TO_ALARMS = """
sources: [{name: a, events: ['*'], sinks: [s]}]
sinks: [{name: s, publishers: ['alarms://']}]
"""


def a_worker(
    store: SqlStore,
    log: Log | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Worker:
    """A worker that knows the store's alarms as they are now."""
    alarms, logger = LiveAlarms(), (log or Log()).logger
    AlarmFeed(store, alarms, refresh_seconds=1, log=logger).load()
    return Worker(
        normaliser=Normaliser(compiled(yaml_source.load_file(NormaliseSettings().file))),
        routes=load_routes(yaml_source.load(_TO_ALARMS, "pipelines.yaml"), lambda url: None),
        sinks=_NoSinks(),
        alarms=alarms,
        store=store,
        clock=clock,
        log=logger,
    )


def take(worker: Worker, bodies: Iterable[bytes]) -> None:
    """What a listener does with a batch that causes something."""
    decisions = worker.decide([Message(body, "application/json") for body in bodies])
    assert decisions is not None
    worker.commit(decisions)


def a_body(message_id: str) -> bytes:
    """A notification of a deleted user."""
    return json.dumps(a_notification(message_id=message_id)).encode()


class _NoSinks:
    """Nothing is published in these tests, so whoever tries is wrong."""

    def publish(self, batch: Mapping[str, Sequence[Event]]) -> list[Publication]:
        raise AssertionError(f"nothing is to be published to {list(batch)}")

    def kept(self, publications: Sequence[Publication]) -> None:
        raise AssertionError("nothing was published")
