"""`store://` keeps events in the archive, or says that it did not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.app import Application
from pipeline.errors import InvalidValue, PublishFailed, StoreUnavailable
from pipeline.event import Event
from pipeline.normalise import normalised_lines
from pipeline.publishers import Publishers, from_url
from pipeline.publishers.base import Tools
from pipeline.store.archive import EventFilter
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import an_event

CAPTURED = Path(__file__).parents[1] / "data" / "keystone-cadf.jsonl"


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    opened = SqlStore.open(DatabaseSettings(url=database_url))
    yield opened
    opened.close()


def test_events_are_kept_once_however_often_they_are_published(store: SqlStore) -> None:
    """Events-in 3, 28: published at least once, kept once."""
    publishers = Publishers(Tools(archive=store))
    events = [an_event(host="a"), an_event(host="b")]

    publishers.get("store://").publish(events)
    publishers.get("store://").publish(events)
    publishers.close()

    assert sorted(store.events(EventFilter())) == sorted(events)


def test_events_go_from_the_bus_to_the_archive(database_url: str, tmp_path: Path) -> None:
    """A route to store:// keeps each of the captured notifications once, replayed or not."""
    pipelines = tmp_path / "pipelines.yaml"
    pipelines.write_text(
        "sources: [{name: all, events: ['identity.*'], sinks: [kept]}]\n"
        "sinks: [{name: kept, publishers: ['store://']}]\n"
    )
    environ = {"TOCSIN_DATABASE_URL": database_url, "TOCSIN_ROUTING_PIPELINES": str(pipelines)}
    application = Application(environ=environ)
    captured = {event.message_id: event for event in captured_events()}

    for _ in range(2):
        application.replay([CAPTURED], progress=False)

    kept = application.store.events(EventFilter(), limit=1_000)
    assert {event.message_id: event for event in kept} == captured
    assert len(kept) == len(captured) > 500
    assert application.store.counts().publications == 0
    application.close()


def captured_events() -> Iterator[Event]:
    normaliser = Application(environ={}).normaliser()
    for _, event in normalised_lines(CAPTURED.read_bytes().splitlines(), normaliser):
        if isinstance(event, Event) and event.event_type.startswith("identity."):
            yield event


def test_a_store_that_is_away_fails_the_publication() -> None:
    """Events-in 28: the worker then keeps the events for later."""

    class Away:
        def keep_events(self, events: list[Event]) -> None:
            raise StoreUnavailable("postgresql://db/tocsin: connection refused")

    publisher = from_url("store://", Tools(archive=Away()))

    with pytest.raises(PublishFailed, match="connection refused"):
        publisher.publish([an_event()])


def test_without_a_store_it_can_be_checked_and_not_published_to() -> None:
    publisher = from_url("store://")

    with pytest.raises(PublishFailed, match="store://: there is no store here"):
        publisher.publish([an_event()])


def test_it_takes_no_options() -> None:
    with pytest.raises(InvalidValue, match=r"store:// takes no host, path or options"):
        from_url("store://?max_age=3d")
