"""One sink's lane: a thread through which all events go to one publisher, in their order.

It is *direct* while the sink takes what it is offered. Once the sink has failed or was slow, it
takes no offers (the events then go into the store) and works off the sink's publications instead:
after a failure it pauses, longer each time, and tries one; when that is taken it goes on with all
that are due, and is direct again. Made and asked by `pipeline.sinks`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

from pipeline.errors import InvalidValue, PublishFailed, PublishRefused, StoreUnavailable
from pipeline.event import Event
from pipeline.masking import mask_url
from pipeline.observer import Observer
from pipeline.publishers.base import Publisher
from pipeline.publishers.settings import PublishingSettings
from pipeline.store.base import Publication, Publications

LEASE = timedelta(minutes=5)
"""For how long a publication that is being published is nobody else's."""

BEHIND = "it waits behind what this publisher has not taken yet"
_STORE_AWAY_SECONDS = 1.0
_SLOW_SECONDS = 5.0
"""How long a sink that was slow is spared offers, lest every batch wait for it in vain."""

_TRIED_IN_TURN = 3
"""So often a failing publication is tried before those behind it; later ones come between."""

_HOPELESS_ATTEMPTS = 10
_REFUSED_FIRST, _REFUSED_LONGEST = timedelta(minutes=1), timedelta(hours=1)


class Untaken(NamedTuple):
    """What a publisher did not take, and why. `refused`: it works, and takes other events."""

    events: Sequence[Event]
    problem: str
    refused: bool = False


class SinkLane:
    """Publishes to one URL from a daemon thread of its own, started with the first work."""

    def __init__(
        self,
        url: str,
        publisher: Callable[[], Publisher],
        publications: Publications,
        settings: PublishingSettings,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        log: Any,
        observer: Observer,
    ) -> None:
        self.url, self._publisher, self._publications = url, publisher, publications
        self._delays = settings.retry_delays_seconds or (1.0,)
        self._clock, self._new_id, self._observer = clock, new_id, observer
        self._log = log.bind(publisher=mask_url(url))
        self._changed = threading.Condition()
        self._offers: deque[tuple[Future[Untaken | None], Sequence[Event]]] = deque()
        self._direct, self._look, self._busy, self._closing = True, False, False, False
        self._pause_until = self._spared_until = 0.0
        self._failures = 0
        self._suspects: set[str] = set()
        self._thread = threading.Thread(target=self._run, name=mask_url(url), daemon=True)

    def offer(self, events: Sequence[Event]) -> Future[Untaken | None] | None:
        """Have events published: None in the future, or what was not taken. None: not now."""
        with self._changed:
            if not self._direct or self._closing:
                return None
            future: Future[Untaken | None] = Future()
            self._offers.append((future, events))
            self._wake()
            return future

    def look(self) -> None:
        """There may be publications of this sink in the store."""
        with self._changed:
            self._look = True
            self._wake()

    def is_slow(self) -> None:
        """A batch waited for it in vain."""
        with self._changed:
            if self._direct:
                self._log.warning("publisher.slow", spared_seconds=_SLOW_SECONDS)
            self._direct, self._look = False, True
            self._spared_until = monotonic() + _SLOW_SECONDS
            self._wake()

    def is_idle(self) -> bool:
        """Whether it has nothing in hand and nothing before it."""
        with self._changed:
            return self._direct and not (self._offers or self._busy or self._look)

    def is_failing(self) -> bool:
        """Whether it did not take what it was offered last."""
        with self._changed:
            return self._failures > 0

    def close(self) -> None:
        """End the thread after what it has in hand."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for that."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    # --- the thread --------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._thread.ident is None and not self._closing:
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while self._await_work():
            try:
                if self._offers:
                    self._serve(*self._offers.popleft())
                else:
                    self._bring()
            except BaseException:  # noqa: BLE001 - a lane that ended would leave its sink for ever
                self._log.exception("publisher.lane_failed")
                self._pause_until = monotonic() + _STORE_AWAY_SECONDS

    def _await_work(self) -> bool:
        """Wait until there is something to do; False when there will be nothing more."""
        with self._changed:
            self._busy = False
            while not self._closing:
                pause = self._pause_until - monotonic()
                if self._offers or (self._look and pause <= 0):
                    self._busy = True
                    return True
                self._changed.wait(pause if self._look else None)
            for future, _ in self._offers:
                future.cancel()
            return False

    def _serve(self, future: Future[Untaken | None], events: Sequence[Event]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        if not self._direct:
            future.set_result(Untaken(events, BEHIND))
            return
        untaken = self._try(events)
        if untaken is not None and not untaken.refused:
            self._failed(untaken)
        future.set_result(untaken)

    def _try(self, events: Sequence[Event]) -> Untaken | None:
        """Publish; what was not taken."""
        untaken: Untaken | None = None
        try:
            self._publisher().publish(events)
        except PublishFailed as error:
            left = events if error.left is None else [events[place] for place in error.left]
            untaken = Untaken(left, mask_url(str(error)), isinstance(error, PublishRefused))
        except InvalidValue as error:
            untaken = Untaken(events, mask_url(str(error)))
        except BaseException as error:  # noqa: BLE001 - a sink's bug must not stop its lane
            self._log.exception("publisher.broken")
            untaken = Untaken(events, mask_url(f"{type(error).__name__}: {error}"))
        failed = len(untaken.events) if untaken else 0
        if failed:
            self._observer.published(self.url, failed, taken=False)
        if len(events) > failed:
            self._observer.published(self.url, len(events) - failed, taken=True)
        return untaken if failed else None

    def _failed(self, untaken: Untaken) -> float:
        """The sink is down, as far as one can tell: pause, for so many seconds."""
        pause = self._delays[min(self._failures, len(self._delays) - 1)]
        with self._changed:
            self._failures += 1
            self._direct, self._look = False, True
            self._pause_until = monotonic() + pause
        self._log.warning(
            "publisher.failed",
            error=untaken.problem,
            events=len(untaken.events),
            next_try_seconds=pause,
        )
        return pause

    # --- publications ------------------------------------------------------------------------

    def _bring(self) -> None:
        """Publish the sink's oldest publication that is due; be direct when there is none."""
        try:
            claimed = self._publications.claim_publications(1, LEASE, self._clock(), self.url)
            if claimed:
                self._publish(claimed[0])
            else:
                self._worked_off()
        except StoreUnavailable as error:
            self._log.warning("publisher.store_unavailable", error=str(error))
            self._pause_until = monotonic() + _STORE_AWAY_SECONDS

    def _worked_off(self) -> None:
        with self._changed:
            if not self._direct and monotonic() < self._spared_until:
                self._pause_until = self._spared_until
                return
            if not self._direct:
                self._log.info("publisher.direct_again")
            self._direct, self._look = True, False

    def _publish(self, publication: Publication) -> None:
        untaken = self._try(publication.events)
        if untaken is None:
            self._publications.published(publication.publication_id)
            if publication.attempts:
                self._log.info("publisher.took_at_last", events=len(publication.events))
            self._recovered()
        elif untaken.refused:
            self._set_apart(publication, untaken)
        else:
            self._put_off(publication, untaken)

    def _recovered(self) -> None:
        """It takes events again: what was put off while it did not is due now."""
        down, self._failures, self._suspects = len(self._suspects) > 1, 0, set()
        if down:
            self._publications.make_due(self._clock(), self.url, _HOPELESS_ATTEMPTS)

    def _put_off(self, publication: Publication, untaken: Untaken) -> None:
        """Keep it, behind others when it was tried several times: it may be its own fault."""
        pause = self._failed(untaken)
        self._suspects.add(publication.publication_id)
        in_turn = publication.attempts <= _TRIED_IN_TURN
        behind = timedelta(0) if in_turn else timedelta(seconds=3 * pause)
        self._keep(publication, untaken, self._clock() + behind)

    def _set_apart(self, publication: Publication, untaken: Untaken) -> None:
        """Halve what the sink refuses; put one event off for long."""
        self._failures, self._suspects = 0, set()
        if len(untaken.events) == 1:
            delay = _REFUSED_FIRST * 5 ** min(max(publication.attempts - 1, 0), 5)
            due_at = self._clock() + min(delay, _REFUSED_LONGEST)
            self._log.warning("publisher.refused", error=untaken.problem, next_try_at=due_at)
            self._keep(publication, untaken, due_at)
            return
        middle = len(untaken.events) // 2
        halves = untaken.events[:middle], untaken.events[middle:]
        now = self._clock()
        begun = publication.created_at or now
        parts = [
            Publication(
                self._new_id(),
                self.url,
                tuple(half),
                untaken.problem,
                due_at=now,
                created_at=begun + timedelta(microseconds=number),
            )
            for number, half in enumerate(halves)
        ]
        self._publications.replace_publication(publication.publication_id, parts)

    def _keep(self, publication: Publication, untaken: Untaken, due_at: datetime) -> None:
        if len(untaken.events) == len(publication.events):
            self._publications.publish_again_at(
                publication.publication_id, due_at, untaken.problem
            )
            return
        rest = Publication(
            self._new_id(),
            self.url,
            tuple(untaken.events),
            untaken.problem,
            publication.attempts + 1,
            due_at,
            publication.created_at,
        )
        self._publications.replace_publication(publication.publication_id, [rest])
