"""Sinks: every publisher in a lane of its own, and the store for what it does not take in time.

The worker offers a batch's events after its alarms are written, and waits a short, bounded time:
a sink that hangs delays no alarm. What a sink did not take, or not yet, is given back to be kept
in the store before the batch is acknowledged; until that is worked off, the sink's further events
go the same way, so that they keep their order as far as may be. The lane brings them: one at a
time while the sink fails, with growing pauses, all that there are once it takes one. A publication
that a working sink refuses is halved until the event it is about stands alone, and put off; it
holds up no others. Nothing is given up: what nobody will ever take, a person purges.

`publish` and `kept` are called by the worker, `look` and `keep_only` by the republisher and the
composition root. A lane that hangs in a publisher hangs alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from datetime import datetime, timedelta
from functools import partial
from time import monotonic, sleep
from typing import Any, Protocol

from pipeline.errors import StoreUnavailable
from pipeline.event import Event
from pipeline.masking import mask_url
from pipeline.observer import Observer
from pipeline.publishers.base import Publisher
from pipeline.publishers.settings import PublishingSettings
from pipeline.sink_lane import BEHIND, LEASE, SinkLane, Untaken
from pipeline.store.base import Publication, Publications

_SLOW = "it took longer than a batch waits for it"
_CLOSING_SECONDS = 5.0
_LOOK_SECONDS = 0.05


class PublisherSource(Protocol):
    """Where the publisher of a URL is had (`pipeline.publishers.Publishers`)."""

    def get(self, url: str) -> Publisher:
        """Raises `InvalidValue` where the URL has none."""

    def drop(self, url: str) -> None:
        """Close the publisher of a URL that is not used any more."""


class Sinks:
    """A lane for each publisher URL, made when it is first needed. Safe from many threads."""

    def __init__(
        self,
        publishers: PublisherSource,
        publications: Publications,
        settings: PublishingSettings,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        log: Any,
        observer: Observer | None = None,
    ) -> None:
        self._publishers, self._publications, self._settings = publishers, publications, settings
        self._clock, self._new_id, self._log = clock, new_id, log
        self._observer = observer or Observer()
        self._lanes: dict[str, SinkLane] = {}
        self._wanted: frozenset[str] | None = None
        self._late: dict[str, Future[Untaken | None]] = {}
        self._closed = False
        self._lock = threading.Lock()

    # --- for the worker ----------------------------------------------------------------------

    def publish(self, batch: Mapping[str, Sequence[Event]]) -> list[Publication]:
        """Offer each URL its events; returns what has to be kept, to be told of by `kept`."""
        offered = [(url, events, self._lane(url).offer(events)) for url, events in batch.items()]
        deadline = monotonic() + self._settings.wait_seconds
        keep: list[Publication] = []
        for url, events, offer in offered:
            keep += self._untaken(url, events, offer, deadline)
        return keep

    def kept(self, publications: Sequence[Publication]) -> None:
        """They are in the store now: the lanes may bring them."""
        for publication in publications:
            with self._lock:
                late = self._late.pop(publication.publication_id, None)
            if late is not None:
                late.add_done_callback(partial(self._settle, publication))
        for url in {publication.publisher for publication in publications}:
            self._lane(url).look()

    def _untaken(
        self,
        url: str,
        events: Sequence[Event],
        offer: Future[Untaken | None] | None,
        deadline: float,
    ) -> list[Publication]:
        if offer is None:
            return self._publications_of(url, events, BEHIND)
        try:
            untaken = offer.result(max(deadline - monotonic(), 0))
        except (TimeoutError, CancelledError):
            self._lane(url).is_slow()
            if offer.cancel():
                return self._publications_of(url, events, _SLOW)
            # The lane is at it: nobody else is to be until it has ended, or this process has.
            publications = self._publications_of(url, events, _SLOW, self._clock() + LEASE)
            with self._lock:
                self._late.update({one.publication_id: offer for one in publications})
            return publications
        return self._publications_of(url, untaken.events, untaken.problem) if untaken else []

    def _publications_of(
        self, url: str, events: Sequence[Event], problem: str, due_at: datetime | None = None
    ) -> list[Publication]:
        """Publications of bounded size; their times keep their order."""
        now, size = self._clock(), self._settings.publication_events
        return [
            Publication(
                self._new_id(),
                url,
                tuple(events[start : start + size]),
                mask_url(problem),
                due_at=due_at or now,
                created_at=now + timedelta(microseconds=number),
            )
            for number, start in enumerate(range(0, len(events), size))
        ]

    def _settle(self, publication: Publication, offer: Future[Untaken | None]) -> None:
        """A lane has ended what took it too long; called in its thread."""
        untaken = None if offer.cancelled() else offer.result()
        try:
            if untaken is None and not offer.cancelled():
                self._publications.published(publication.publication_id)
            else:
                problem = untaken.problem if untaken else _SLOW
                now = self._clock()
                self._publications.publish_again_at(publication.publication_id, now, problem)
                self._lane(publication.publisher).look()
        except StoreUnavailable as error:
            # Its lease ends, and it is published again.
            shown = mask_url(publication.publisher)
            self._log.warning("publisher.not_settled", publisher=shown, error=str(error))

    # --- for the republisher -----------------------------------------------------------------

    def look(self) -> None:
        """Let the lanes look for what is due, and let go of those that are not needed any more.

        Raises `StoreUnavailable`.
        """
        waiting = set(self._publications.waiting_publishers())
        for url in waiting:
            self._lane(url).look()
        for url in self._idle(waiting):
            self._publishers.drop(url)

    def keep_only(self, urls: Collection[str]) -> None:
        """The publishers that the routes now name; others go when they have nothing left."""
        self._wanted = frozenset(urls)

    def settle(self, seconds: float) -> None:
        """Wait, at most so long, until the sinks have taken what is kept for them, but for those
        that take nothing now: for a process that ends with its work, and leaves no republisher.

        Raises `StoreUnavailable`.
        """
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            with self._lock:
                lanes = dict(self._lanes)
            waiting = lanes.keys() & set(self._publications.waiting_publishers())
            if all(lanes[url].is_failing() or lanes[url].is_idle() for url in waiting):
                return
            sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Take no more; let the lanes end what they have in hand, for a bounded time."""
        with self._lock:
            self._closed = True
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.close()
        deadline = monotonic() + _CLOSING_SECONDS
        for lane in lanes:
            lane.join(max(deadline - monotonic(), 0))

    def _idle(self, waiting: set[str]) -> list[str]:
        """Take out the lanes that nobody needs; their URLs."""
        with self._lock:
            if self._wanted is None:
                return []
            idle = [
                url
                for url, lane in self._lanes.items()
                if url not in self._wanted and url not in waiting and lane.is_idle()
            ]
            for url in idle:
                self._lanes.pop(url).close()
        return idle

    def _lane(self, url: str) -> SinkLane:
        with self._lock:
            if url not in self._lanes:
                self._lanes[url] = lane = SinkLane(
                    url,
                    partial(self._publishers.get, url),
                    self._publications,
                    self._settings,
                    clock=self._clock,
                    new_id=self._new_id,
                    log=self._log,
                    observer=self._observer,
                )
                if self._closed:
                    lane.close()
            return self._lanes[url]
