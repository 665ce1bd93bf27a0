"""A sink that fails stops nothing and loses nothing (events-in 28), from message to file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
import structlog

from pipeline import yaml_source
from pipeline.alarms.live import LiveAlarms
from pipeline.event import Event
from pipeline.feed import AlarmFeed
from pipeline.listeners.base import Message
from pipeline.normalise import Definitions, Normaliser
from pipeline.publishers import Publishers, from_url
from pipeline.publishers.settings import PublishingSettings
from pipeline.publishers.test import TestPublisher
from pipeline.routing import load_routes
from pipeline.sinks import Sinks
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.worker import Worker

from builders import NOON, a_rule, an_alarm, an_id
from waiting import eventually


def noon() -> datetime:
    return NOON


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    opened = SqlStore.open(DatabaseSettings(url=database_url), clock=noon, new_id=an_id)
    yield opened
    opened.close()


def a_message(number: int) -> Message:
    notification = {
        "message_id": f"m-{number}",
        "event_type": "demo.created",
        "publisher_id": "demo",
        "priority": "INFO",
        "timestamp": "2026-01-02 12:00:00.000001",
        "payload": {},
    }
    return Message(json.dumps(notification).encode(), source="test")


def test_the_others_get_the_events_and_the_sink_gets_them_when_it_works_again(
    store: SqlStore, tmp_path: Path
) -> None:
    folder = tmp_path / "later"
    text = f"""
        sources: [{{name: all, events: ["*"], sinks: [both]}}]
        sinks: [{{name: both, publishers: ["file://{folder}/e?json", "test://"]}}]
    """
    publishers = Publishers()
    settings = PublishingSettings(wait_seconds=30, retry_delays_seconds=(0.01,))
    log = structlog.get_logger()
    sinks = Sinks(publishers, store, settings, clock=noon, new_id=an_id, log=log)
    worker = Worker(
        normaliser=Normaliser(Definitions()),
        routes=load_routes(yaml_source.load(text, "pipelines.yaml"), from_url),
        sinks=sinks,
        alarms=LiveAlarms(),
        store=store,
        clock=noon,
        log=log,
    )

    decisions = worker.decide([a_message(number) for number in range(3)])
    assert decisions is not None
    worker.commit(decisions)

    others = publishers.get("test://")
    assert isinstance(others, TestPublisher)
    assert [event.message_id for event in others.events] == ["m-0", "m-1", "m-2"]
    assert store.counts().publications == 1
    folder.mkdir()
    eventually(lambda: store.counts().publications == 0)
    sinks.close()
    lines = (folder / "e").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["message_id"] for line in lines] == ["m-0", "m-1", "m-2"]


class Hanging:
    """A publisher that says nothing until it is let go."""

    url = "hanging://"

    def __init__(self) -> None:
        self.let_go, self.taken = threading.Event(), list[Event]()

    def get(self, url: str) -> Hanging:
        return self

    def drop(self, url: str) -> None:
        """It stays."""

    def publish(self, events: Sequence[Event]) -> None:
        assert self.let_go.wait(30)
        self.taken += events

    def close(self) -> None:
        """Nothing is held."""


def test_a_sink_that_hangs_delays_no_alarm_and_is_acknowledged_only_when_it_is_kept(
    store: SqlStore,
) -> None:
    """delivery 1: when commit returns, the listener acknowledges."""
    text = """
        sources: [{name: all, events: ["*"], sinks: [both]}]
        sinks: [{name: both, publishers: ["hanging://", "alarms://"]}]
    """
    log, alarms, sink = structlog.get_logger(), LiveAlarms(), Hanging()
    store.create(an_alarm(all_projects=True, rule=a_rule("*"), repeat_actions=True))
    AlarmFeed(store, alarms, refresh_seconds=1, log=log).load()
    settings = PublishingSettings(wait_seconds=30)
    impatient = PublishingSettings(wait_seconds=0.01)
    for number, wanted in enumerate((settings, impatient)):
        sinks = Sinks(sink, store, wanted, clock=noon, new_id=an_id, log=log)
        worker = Worker(
            normaliser=Normaliser(Definitions()),
            routes=load_routes(yaml_source.load(text, "pipelines.yaml"), lambda url: None),
            sinks=sinks,
            alarms=alarms,
            store=store,
            clock=noon,
            log=log,
        )
        decisions = worker.decide([a_message(number)])
        assert decisions is not None
        committing = threading.Thread(target=worker.commit, args=(decisions,), daemon=True)
        committing.start()

        def fired(count: int = number + 1) -> bool:
            return store.counts().firings == count

        eventually(fired, "the alarm has its delivery while the sink hangs")
    committing.join(30)
    assert not committing.is_alive(), "the impatient one waits for it no longer"
    assert store.counts().unpublished_events == 1
    sink.let_go.set()
    eventually(lambda: store.counts().unpublished_events == 0)
    eventually(lambda: len(sink.taken) == 2)
