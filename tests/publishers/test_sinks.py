"""Each sink has a lane of its own: none delays the alarms, none loses an event, and what one did
not take it gets when it works again (events-in 28)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog

from pipeline.errors import InvalidValue, PublishFailed, PublishRefused, StoreUnavailable
from pipeline.event import Event
from pipeline.publishers.settings import PublishingSettings
from pipeline.republisher import Republisher
from pipeline.sinks import Sinks
from pipeline.store.base import Publication
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, an_event, an_id
from publishers.sinks import ids
from waiting import eventually, running

SOON = PublishingSettings(wait_seconds=30, retry_delays_seconds=(0.01,), publication_events=3)
IMPATIENT = replace(SOON, wait_seconds=0.01)
LATER = replace(SOON, retry_delays_seconds=(3600,))


class Clock:
    """A clock that stands still until it is stepped."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Sink:
    """A publisher whose mood the test sets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.failure: Exception | None = None
        self.poison: set[str] = set()
        self.poison_error: type[PublishFailed] = PublishRefused
        self.tried, self.taken, self.closed = 0, list[str](), False
        self.lets = threading.Event()
        self.lets.set()
        self.entered = threading.Event()

    def publish(self, events: Sequence[Event]) -> None:
        self.tried += 1
        self.entered.set()
        assert self.lets.wait(30)
        if self.failure:
            raise self.failure
        if self.poison & set(ids(events)):
            raise self.poison_error("HTTP 400 at http://u:s3cret@sink/")
        self.taken += ids(events)

    def close(self) -> None:
        self.closed = True


class Publishers:
    """Where the lanes get their publishers."""

    def __init__(self) -> None:
        self.sinks: dict[str, Sink] = {}

    def get(self, url: str) -> Sink:
        if url.startswith("gone"):
            raise InvalidValue("unknown publisher 'gone'.")
        return self.sinks.setdefault(url, Sink(url))

    def drop(self, url: str) -> None:
        self.sinks[url].close()


class Bench:
    """Sinks over a real store, and what a worker does with them."""

    def __init__(self, store: SqlStore, clock: Clock, stack: ExitStack) -> None:
        self.store, self._clock, self._stack = store, clock, stack
        self.publishers = Publishers()
        self.a, self.b = self.publishers.get("a://"), self.publishers.get("b://")

    def sinks(self, settings: PublishingSettings = SOON, store: Any = None) -> Sinks:
        sinks = Sinks(
            self.publishers,
            store or self.store,
            settings,
            clock=self._clock,
            new_id=an_id,
            log=structlog.get_logger(),
        )
        self._stack.callback(sinks.close)
        return sinks

    def commit(self, sinks: Sinks, **batch: Sequence[Event]) -> list[Publication]:
        """What the worker does: publish, keep, tell. `a=` are the events for `a://`."""
        kept = sinks.publish({f"{name}://": events for name, events in batch.items()})
        if kept:
            self.keep(*kept)
            sinks.kept(kept)
        return kept

    def keep(self, *publications: Publication) -> None:
        with self.store.begin() as transaction:
            transaction.save_publications(publications)

    def kept(self) -> int:
        return self.store.counts().publications


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[SqlStore]:
    opened = SqlStore.open(DatabaseSettings(url=database_url), clock=clock, new_id=an_id)
    yield opened
    opened.close()


@pytest.fixture
def bench(store: SqlStore, clock: Clock) -> Iterator[Bench]:
    with ExitStack() as stack:
        bench = Bench(store, clock, stack)
        yield bench
        for sink in bench.publishers.sinks.values():
            sink.lets.set()


def events(count: int) -> list[Event]:
    return [an_event(number=number) for number in range(count)]


def test_what_is_taken_in_time_needs_no_store(bench: Bench) -> None:
    batch = events(5)

    assert bench.commit(bench.sinks(), a=batch, b=batch[:2]) == []

    assert (bench.a.taken, bench.b.taken) == (ids(batch), ids(batch[:2]))


def test_a_sink_that_hangs_holds_up_neither_the_batch_nor_another_sink(bench: Bench) -> None:
    bench.a.lets.clear()
    batch, sinks = events(2), bench.sinks(IMPATIENT)

    bench.commit(sinks, a=batch)
    kept = bench.commit(sinks, a=events(1))
    settled = bench.sinks()
    bench.commit(settled, b=batch)

    assert bench.b.taken == ids(batch)
    assert [publication.publisher for publication in kept] == ["a://"]
    assert bench.kept() == 2


def test_what_a_slow_sink_takes_at_last_is_not_published_again(bench: Bench) -> None:
    bench.a.lets.clear()
    batch, sinks = events(2), bench.sinks(IMPATIENT)

    bench.commit(sinks, a=batch)
    assert bench.kept() == 1
    bench.a.lets.set()

    eventually(lambda: bench.kept() == 0)
    assert bench.a.taken == ids(batch)


def test_what_a_slow_sink_takes_before_it_is_kept_is_not_published_again(bench: Bench) -> None:
    """The lane ends between the time-out and the store's commit."""
    bench.a.lets.clear()
    sinks = bench.sinks(IMPATIENT)

    kept = sinks.publish({"a://": (batch := events(1))})
    assert bench.a.entered.wait(30)
    bench.a.lets.set()
    eventually(lambda: bench.a.taken)
    bench.keep(*kept)
    sinks.kept(kept)

    eventually(lambda: bench.kept() == 0)
    assert bench.a.taken == ids(batch)


def test_what_a_slow_sink_does_not_take_in_the_end_is_brought_again(bench: Bench) -> None:
    bench.a.lets.clear()
    bench.a.failure = PublishFailed("the disk is full")
    batch, sinks = events(1), bench.sinks(IMPATIENT)

    bench.commit(sinks, a=batch)
    bench.a.lets.set()
    eventually(lambda: bench.a.tried >= 2)
    bench.a.failure = None

    eventually(lambda: bench.kept() == 0)
    assert bench.a.taken == ids(batch)


def test_all_comes_in_order_when_the_sink_is_back(bench: Bench, clock: Clock) -> None:
    """One that fails is spared: what comes meanwhile goes into the store behind the first."""
    bench.a.failure = PublishFailed("cannot reach http://u:s3cret@sink/")
    batches, sinks = [events(4) for _ in range(5)], bench.sinks(LATER)

    for batch in batches:
        clock.now += timedelta(seconds=1)
        bench.commit(sinks, a=batch)
    assert bench.a.tried == 1
    assert [
        len(p.events) for p in bench.store.claim_publications(99, timedelta(0), clock.now)
    ] == [*([3, 1] * 5)]
    bench.a.failure = None
    bench.sinks().look()

    eventually(lambda: bench.kept() == 0)
    assert bench.a.taken == [one for batch in batches for one in ids(batch)]


def test_the_sink_is_direct_again_when_all_is_brought(bench: Bench) -> None:
    bench.a.failure = PublishFailed("away")
    sinks = bench.sinks()
    bench.commit(sinks, a=events(1))
    bench.a.failure = None
    eventually(lambda: bench.kept() == 0)

    eventually(lambda: bench.commit(sinks, a=events(1)) == [] or None, "published directly")


def test_a_sink_that_fails_is_left_alone_for_longer_and_longer(bench: Bench) -> None:
    bench.a.failure = PublishFailed("cannot reach http://u:s3cret@sink/")
    settings = replace(SOON, retry_delays_seconds=(0.01, 0.02, 3600))

    with structlog.testing.capture_logs() as lines:
        bench.commit(bench.sinks(settings), a=events(1))
        eventually(lambda: bench.a.tried == 3)
        eventually(lambda: len([one for one in lines if one["event"] == "publisher.failed"]) == 3)

    assert [line["next_try_seconds"] for line in lines] == [0.01, 0.02, 3600]
    assert "s3cret" not in str(lines)
    (record,) = bench.store.publications()
    assert "s3cret" not in record.error


def test_a_dead_sink_does_not_stand_before_another(bench: Bench) -> None:
    bench.a.failure = PublishFailed("away")
    for number in range(20):
        name = "a" if number < 19 else "b"
        bench.keep(Publication(an_id(), f"{name}://", (an_event(),), "away"))

    bench.sinks(LATER).look()

    eventually(lambda: bench.b.taken)
    eventually(lambda: bench.kept() == 19)


def test_an_event_that_is_refused_is_set_apart_from_the_others(bench: Bench, clock: Clock) -> None:
    batch = events(8)
    bench.a.poison = {batch[5].message_id}
    bench.keep(Publication("p", "a://", tuple(batch), "away"))
    sinks = bench.sinks()

    sinks.look()
    eventually(lambda: len(bench.a.taken) == 7)
    eventually(lambda: bench.kept() == 1)
    # Alone it is kept before it is tried by itself; only then is it put off.
    eventually(lambda: bench.store.publications()[0].due_at > clock())

    (record,) = bench.store.publications()
    assert (record.size, record.error) == (1, "HTTP 400 at http://u:***@sink/")
    assert sorted(bench.a.taken) == sorted(ids(batch[:5] + batch[6:]))
    assert bench.commit(sinks, a=(other := events(1))) == [], "the sink itself works"
    assert bench.a.taken[-1:] == ids(other)

    bench.a.poison, clock.now = set(), bench.store.publications()[0].due_at
    sinks.look()
    eventually(lambda: bench.kept() == 0)


def test_what_always_fails_does_not_hold_up_what_is_behind_it(bench: Bench, clock: Clock) -> None:
    first, second = events(2)
    bench.a.poison, bench.a.poison_error = {first.message_id}, PublishFailed
    bench.keep(Publication("p1", "a://", (first,), "away", created_at=NOON))
    bench.keep(Publication("p2", "a://", (second,), "away", created_at=NOON + timedelta(1)))

    bench.sinks().look()

    eventually(lambda: bench.a.taken == ids([second]))
    eventually(lambda: bench.kept() == 1)


def test_only_what_is_left_is_published_again(bench: Bench) -> None:
    batch, sinks = events(3), bench.sinks()
    bench.a.failure = PublishFailed("broke off", left=[2])

    kept = bench.commit(sinks, a=batch)
    bench.a.failure = None

    assert [ids(publication.events) for publication in kept] == [ids(batch[2:])]
    eventually(lambda: bench.kept() == 0)
    assert bench.a.taken == ids(batch[2:])


@pytest.mark.parametrize("failure", [ZeroDivisionError("oops"), SystemExit("oops")])
def test_a_publisher_with_a_bug_loses_nothing(bench: Bench, failure: Exception) -> None:
    bench.a.failure = failure
    sinks = bench.sinks()

    with structlog.testing.capture_logs() as lines:
        (kept,) = bench.commit(sinks, a=events(1))

    assert kept.error == f"{type(failure).__name__}: oops"
    assert ("publisher.broken", "error") in [(one["event"], one["log_level"]) for one in lines]
    bench.a.failure = None
    eventually(lambda: bench.kept() == 0)


def test_a_publisher_that_is_no_more_keeps_its_events(bench: Bench) -> None:
    bench.keep(Publication("p", "gone://", (an_event(),), "away"))

    bench.sinks(LATER).look()

    eventually(lambda: "unknown publisher 'gone'" in bench.store.publications()[0].error)


def test_two_processes_bring_each_publication_once(bench: Bench) -> None:
    batches = [events(2) for _ in range(30)]
    for number, batch in enumerate(batches):
        made = NOON + timedelta(seconds=number)
        bench.keep(Publication(an_id(), "a://", tuple(batch), "away", created_at=made))

    for sinks in (bench.sinks(), bench.sinks()):
        sinks.look()

    eventually(lambda: bench.kept() == 0)
    assert sorted(bench.a.taken) == sorted(one for batch in batches for one in ids(batch))


def test_a_publisher_that_no_route_names_is_closed_when_it_has_nothing_left(bench: Bench) -> None:
    sinks = bench.sinks()
    bench.commit(sinks, a=events(1), b=events(1))

    sinks.look()
    assert not bench.a.closed, "nobody has said yet which are wanted"
    sinks.keep_only(["b://"])
    eventually(lambda: sinks.look() or bench.a.closed)

    assert not bench.b.closed
    assert bench.commit(sinks, a=events(1)) == [], "a batch that was routed before"


def test_after_closing_events_are_kept_and_not_waited_for(bench: Bench) -> None:
    sinks = bench.sinks()
    bench.commit(sinks, a=events(1))
    sinks.close()

    assert len(bench.commit(sinks, a=events(1))) == 1


def test_a_lane_outlives_a_store_that_is_away(bench: Bench) -> None:
    class Away:
        """The store, which cannot be reached at first."""

        def __init__(self, store: SqlStore) -> None:
            self._store, self.asked = store, 0

        def claim_publications(self, *given: Any) -> list[Publication]:
            self.asked += 1
            if self.asked == 1:
                raise StoreUnavailable("no database")
            return self._store.claim_publications(*given)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

    bench.keep(Publication("p", "a://", (an_event(),), "away"))

    bench.sinks(store=Away(bench.store)).look()

    eventually(lambda: bench.kept() == 0)


def test_the_republisher_looks_until_it_is_stopped_and_outlives_the_store() -> None:
    class Lanes:
        def __init__(self) -> None:
            self.looked, self.again, self.closed = 0, threading.Event(), False

        def look(self) -> None:
            self.looked += 1
            if self.looked == 1:
                raise StoreUnavailable("no database")
            self.again.set()

        def close(self) -> None:
            self.closed = True

    lanes = Lanes()
    republisher = Republisher(lanes, log=structlog.get_logger(), look_seconds=0.01)
    with running(republisher):
        assert lanes.again.wait(30)

    assert lanes.closed
