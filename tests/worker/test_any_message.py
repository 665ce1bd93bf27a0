"""Whatever comes, the worker takes it: recorded or rejected, and never an exception out of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import yaml_source
from pipeline.alarms.live import LiveAlarms
from pipeline.feed import AlarmFeed
from pipeline.listeners.base import Message
from pipeline.normalise import Normaliser, NormaliseSettings, compiled
from pipeline.routing import RoutingSettings, load_routes
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets.aodh import body as aodh_body
from pipeline.worker import Worker

from any_message import JSON, MESSAGES, MUTATED
from builders import NOON, a_rule, an_alarm


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def taking(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Worker, SqlStore]]:
    """A worker whose only alarm fires on everything, so that every event is written."""
    folder: Path = tmp_path_factory.mktemp("any")
    url = f"sqlite:///{folder / 'tocsin.sqlite'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("_postgresql_database")
    with SqlStore.open(DatabaseSettings(url=url)) as store:
        store.create(
            an_alarm(
                rule=a_rule("*"),
                all_projects=True,
                repeat_actions=True,
                alarm_actions=("test://",),
            )
        )
        log, alarms = structlog.get_logger(), LiveAlarms()
        AlarmFeed(store, alarms, refresh_seconds=1, log=log).load()
        worker = Worker(
            normaliser=Normaliser(compiled(yaml_source.load_file(NormaliseSettings().file))),
            routes=load_routes(yaml_source.load_file(RoutingSettings().file), lambda url: None),
            sinks=NoSinks(),
            alarms=alarms,
            store=store,
            clock=lambda: NOON,
            log=log,
        )
        yield worker, store


class NoSinks:
    """Nothing is published."""

    def publish(self, batch: Any) -> list[Any]:
        pytest.fail(f"published: {batch}")

    def kept(self, publications: Any) -> None:
        pytest.fail(f"kept: {publications}")


def take(taking: tuple[Worker, SqlStore], body: bytes) -> None:
    """Take one message in; it must then be there, as an event that was told or as rejected."""
    worker, store = taking
    decisions = worker.decide([Message(body, "application/json")])
    assert decisions, "the alarm on everything fires, or the message is rejected"
    worker.commit(decisions)
    reasons = {decided.rejected for decided in decisions if decided.rejected}
    assert not any("Tocsin failed on it" in reason for reason in reasons)
    if reasons:
        assert store.rejected(limit=1)
        return
    (delivery,) = store.claim(1, *_LEASE_AND_NOW) or [None]
    if delivery is not None:  # None when the same event came before.
        assert json.loads(aodh_body(delivery.notification))
    assert not [r for r in store.rejected(limit=1000) if "could not be recorded" in r.reason]


_LEASE_AND_NOW: Any = (NOON - NOON, NOON)
many = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@many
@given(JSON)
def test_any_json_value_is_recorded_or_rejected(taking: Any, value: Any) -> None:
    take(taking, json.dumps(value).encode())


@many
@given(MESSAGES)
def test_any_notification_is_recorded_or_rejected(taking: Any, message: dict[str, Any]) -> None:
    take(taking, json.dumps(message).encode())


@many
@given(MUTATED)
def test_mutated_real_message_is_recorded_or_rejected(taking: Any, body: bytes) -> None:
    take(taking, body)


@many
@given(st.binary())
def test_any_bytes_are_recorded_or_rejected(taking: Any, body: bytes) -> None:
    take(taking, body)
