"""`store://` keeps events in the archive, or says that it did not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.errors import InvalidValue, PublishFailed, StoreUnavailable
from pipeline.event import Event
from pipeline.publishers import Publishers, from_url
from pipeline.publishers.base import Tools
from pipeline.store.archive import EventFilter
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import an_event


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
