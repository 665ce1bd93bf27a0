"""Republishing: the loop that publishes again what a sink did not take (events-in 28).

The worker keeps such events as publications, and the store what it tells of alarms (alarms 25),
which nobody tried to publish yet; this claims the due ones, publishes them, and
forgets them or makes them due again: after the delays of deliveries, the last one over and over,
for events are not given up. Runs in a thread of its own beside the listeners; several processes
may run one each, for a claim is held by one of them only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from pipeline.errors import InvalidValue, PublishFailed, StoreUnavailable
from pipeline.masking import mask_url
from pipeline.observer import Observer, Pulse
from pipeline.publishers.base import Publisher
from pipeline.retry import DEFAULT_DELAYS
from pipeline.store.base import Publication, Publications

_POLL_SECONDS = 1.0
_LEASE = timedelta(minutes=5)


class PublisherSource(Protocol):
    """Where the publisher of a URL is had (`pipeline.publishers.Publishers`)."""

    def get(self, url: str) -> Publisher:
        """Raises `InvalidValue` where the URL has none."""


class Republisher:
    """Publishes again what was not taken, until it is."""

    name = "republisher"

    def __init__(
        self,
        publications: Publications,
        publishers: PublisherSource,
        delays: Sequence[timedelta],
        *,
        clock: Callable[[], datetime],
        log: Any,
        poll_seconds: float = _POLL_SECONDS,
        observer: Observer | None = None,
    ) -> None:
        self._publications, self._publishers = publications, publishers
        self._delays = tuple(delays) or DEFAULT_DELAYS
        self._clock, self._log, self._poll_seconds = clock, log, poll_seconds
        self._stopping = threading.Event()
        self._observer, self.pulse = observer or Observer(), Pulse()

    def run(self) -> None:
        """Publish what is due until `stop`. Waits for the store while it is away."""
        while not self._stopping.is_set():
            self.pulse.beat()
            try:
                more = self.run_once()
            except StoreUnavailable as error:
                self._log.warning("republisher.store_unavailable", error=str(error))
                more = False
            if not more:
                self._stopping.wait(self._poll_seconds)

    def stop(self) -> None:
        """Finish the publication in hand and return from `run`."""
        self._stopping.set()

    def run_once(self) -> bool:
        """Publish the one that is due longest, and write the outcome. False when none is due."""
        # One at a time, so that a stop leaves none claimed and untried.
        claimed = self._publications.claim_publications(1, _LEASE, self._clock())
        for publication in claimed:
            self._publish(publication)
        return bool(claimed)

    def _publish(self, publication: Publication) -> None:
        log = self._log.bind(publisher=publication.publisher, events=len(publication.events))
        try:
            self._publishers.get(publication.publisher).publish(publication.events)
        except (PublishFailed, InvalidValue) as error:
            self._observer.published(publication.publisher, len(publication.events), taken=False)
            due_at = self._put_off(publication, str(error))
            log.warning("publisher.failed_again", error=str(error), next_try_at=due_at)
        except Exception as error:  # a sink's bug must neither lose nor stop events
            self._observer.published(publication.publisher, len(publication.events), taken=False)
            self._put_off(publication, f"{type(error).__name__}: {error}")
            log.exception("publisher.broken")
        else:
            self._publications.published(publication.publication_id)
            self._observer.published(publication.publisher, len(publication.events), taken=True)
            if publication.attempts:
                log.info("publisher.took_at_last")

    def _put_off(self, publication: Publication, error: str) -> datetime:
        """Make it due again. The worker's attempt, if it made one, was the first; the first delay
        follows ours."""
        made = max(publication.attempts, 1)
        delay = self._delays[min(made, len(self._delays)) - 1]
        due_at = self._clock() + delay
        error = mask_url(error)
        self._publications.publish_again_at(publication.publication_id, due_at, error)
        return due_at
