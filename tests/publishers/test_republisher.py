"""What a sink did not take is published again, until it is taken (events-in 28)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog

from pipeline.errors import PublishFailed, StoreUnavailable
from pipeline.event import Event
from pipeline.publishers import Publishers
from pipeline.republisher import Republisher
from pipeline.store.base import Publication
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, an_event, an_id

DELAYS = (timedelta(seconds=5), timedelta(minutes=5))


class Clock:
    """A clock that stands still until it is stepped."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Sink:
    """A publisher whose mood the test sets; also the source that knows only this publisher."""

    url = "sink://"

    def __init__(self) -> None:
        self.failure: Exception | None = PublishFailed("cannot reach http://u:s3cret@sink/")
        self.tried, self.events = 0, list[Event]()

    def get(self, url: str) -> Sink:
        return self

    def publish(self, events: Sequence[Event]) -> None:
        self.tried += 1
        if self.failure:
            raise self.failure
        self.events += events

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[SqlStore]:
    opened = SqlStore.open(DatabaseSettings(url=database_url), clock=clock, new_id=an_id)
    yield opened
    opened.close()


@pytest.fixture
def keep(store: SqlStore, clock: Clock) -> Callable[..., Publication]:
    """Keeps a publication as the worker does."""

    def kept(*events: Event, publisher: str = Sink.url) -> Publication:
        publication = Publication(an_id(), publisher, events, "refused", due_at=clock())
        with store.begin() as transaction:
            transaction.save_publications([publication])
        return publication

    return kept


def a_republisher(store: SqlStore, publishers: Sink | Publishers, clock: Clock) -> Republisher:
    return Republisher(store, publishers, DELAYS, clock=clock, log=structlog.get_logger())


def test_what_is_taken_is_published_whole_and_forgotten(
    store: SqlStore, clock: Clock, keep: Callable[..., Publication]
) -> None:
    (sink := Sink()).failure = None
    events = [an_event(host="a"), an_event(host="b")]
    keep(*events)
    republisher = a_republisher(store, sink, clock)

    assert republisher.run_once() is True
    assert republisher.run_once() is False
    assert sink.events == events
    assert store.counts().publications == 0


def test_the_delays_grow_and_the_last_one_repeats_for_ever(
    store: SqlStore, clock: Clock, keep: Callable[..., Publication]
) -> None:
    sink = Sink()
    keep(an_event())
    republisher = a_republisher(store, sink, clock)
    waited = []

    for _ in range(4):
        with structlog.testing.capture_logs() as lines:
            republisher.run_once()
        due_at = lines[0]["next_try_at"]
        waited.append(due_at - clock())
        clock.now = due_at - timedelta(seconds=1)
        assert republisher.run_once() is False
        clock.now = due_at

    assert waited == [DELAYS[0], DELAYS[1], DELAYS[1], DELAYS[1]]
    assert (sink.tried, store.counts().publications) == (4, 1)


def test_without_any_delays_it_keeps_trying_at_the_delays_of_deliveries(
    store: SqlStore, clock: Clock, keep: Callable[..., Publication]
) -> None:
    keep(an_event())
    republisher = Republisher(store, Sink(), (), clock=clock, log=structlog.get_logger())

    with structlog.testing.capture_logs() as lines:
        republisher.run_once()

    assert lines[0]["next_try_at"] == clock() + timedelta(seconds=5)


def test_an_unexpected_failure_of_a_sink_loses_nothing_and_is_logged(
    store: SqlStore, clock: Clock, keep: Callable[..., Publication]
) -> None:
    (sink := Sink()).failure = ZeroDivisionError("oops")
    keep(an_event())

    with structlog.testing.capture_logs() as lines:
        a_republisher(store, sink, clock).run_once()

    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("publisher.broken", "error")
    ]
    assert store.counts().publications == 1


def test_a_failing_sink_does_not_hold_up_another(
    store: SqlStore, clock: Clock, keep: Callable[..., Publication], tmp_path: Path
) -> None:
    keep(an_event(), publisher=f"file://{tmp_path}/missing/e.json")
    keep(an_event(), publisher=f"file://{tmp_path}/e.json?json")
    republisher = a_republisher(store, Publishers(), clock)

    while republisher.run_once():
        pass

    assert (tmp_path / "e.json").read_text(encoding="utf-8").count("\n") == 1
    assert store.counts().publications == 1


def test_a_publisher_that_is_no_more_keeps_its_events(
    store: SqlStore, clock: Clock, keep: Callable[..., Publication]
) -> None:
    keep(an_event(), publisher="gone://")

    with structlog.testing.capture_logs() as lines:
        a_republisher(store, Publishers(), clock).run_once()

    assert lines[0]["event"] == "publisher.failed_again"
    assert "unknown publisher 'gone'" in lines[0]["error"]
    assert store.counts().publications == 1


def test_it_runs_until_it_is_stopped_and_outlives_a_store_that_is_away() -> None:
    class Away:
        """A store that cannot be reached at first, and is empty then."""

        def __init__(self) -> None:
            self.asked, self.again = 0, threading.Event()

        def claim_publications(
            self, limit: int, lease: timedelta, now: datetime
        ) -> list[Publication]:
            self.asked += 1
            if self.asked == 1:
                raise StoreUnavailable("no database")
            self.again.set()
            return []

        def published(self, publication_id: str) -> None:
            raise AssertionError("nothing was claimed")

        def publish_again_at(self, publication_id: str, due_at: datetime, error: str) -> None:
            raise AssertionError("nothing was claimed")

    store = Away()
    republisher = Republisher(
        store, Sink(), DELAYS, clock=Clock(), log=structlog.get_logger(), poll_seconds=0.01
    )
    thread = threading.Thread(target=republisher.run)
    thread.start()

    assert store.again.wait(30)
    republisher.stop()
    thread.join(30)
    assert not thread.is_alive()
