"""Listens on one bus through kombu: connects, works off batches, comes back after what happens.

A batch is decided on in the listener's own thread. Only what has something to commit goes to a
second one, while this thread keeps connection and claims alive, however long the database takes.
The batch is acknowledged after that and never before.

Only the listener's thread touches the connection. Made by the composition root, one for each URL.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic

import structlog
from kombu.exceptions import KombuError

from pipeline.listeners.backoff import Backoff
from pipeline.listeners.base import Decisions, Stopped, Worker
from pipeline.listeners.bus.connection import connection, driver_of, name_of
from pipeline.listeners.bus.consumer import KombuSource
from pipeline.listeners.bus.folder import FolderSource
from pipeline.listeners.bus.redis import RedisSource
from pipeline.listeners.bus.settings import BusSettings
from pipeline.listeners.bus.source import TICK_SECONDS, Batch, Source
from pipeline.listeners.committer import Committer
from pipeline.masking import mask_url
from pipeline.observer import Pulse

_OTHER_FLAGS = "PRECONDITION_FAILED"
_REMEDY = "Set bus.durable to what the broker has, or bus.declare: false to take it as it is."
_COUNT_EVERY_SECONDS = 10.0
_SOURCES: Mapping[str, Callable[..., Source]] = {
    "filesystem": FolderSource,
    "redis": RedisSource,
}


class BusListener(Generic[Decisions]):
    """A `pipeline.listeners.base.Listener` for the bus at `url`.

    Raises `InvalidValue` where `url` cannot be used; nothing is connected before `run`. `jitter`
    gives a number in [0, 1).
    """

    def __init__(
        self,
        settings: BusSettings,
        url: str,
        worker: Worker[Decisions],
        *,
        log: Any = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        connection(url, settings)
        self._settings, self._url, self._worker = settings, url, worker
        self.name = f"bus {name_of(url)}"
        self._log = (log or structlog.get_logger()).bind(bus=name_of(url))
        self._jitter = jitter
        self._stopping = False
        self._trouble = "has not connected yet"
        self.pulse = Pulse()
        self._waiting: Mapping[str, int] = {}
        self._count_at = 0.0

    def run(self) -> None:
        """Listen until `stop`, through every loss of the connection."""
        committer = Committer(self._worker.commit, f"{self.name} commit")
        longest = self._settings.reconnect_max_seconds
        backoff = Backoff(self._settings.reconnect_min_seconds, longest, self._jitter)
        try:
            while not self._stopping:
                self._listen_while_possible(committer, backoff)
        except Stopped:
            self._log.warning("bus.batch_returned", reason="stopped before it was committed")
        finally:
            committer.close()
        self._log.info("bus.stopped")

    def stop(self) -> None:
        """Take no more messages; finish the batch in hand, acknowledge it, return from `run`.

        Sets a flag and nothing else, so that it is safe in a signal handler.
        """
        self._stopping = True

    def trouble(self) -> str:
        """Why nothing comes from the bus, `''` while it is connected. From any thread."""
        return self._trouble

    def depths(self) -> Mapping[str, int]:
        """How many messages wait in each queue, as last asked. From any thread."""
        return self._waiting

    def _listen_while_possible(self, committer: Committer[Decisions], backoff: Backoff) -> None:
        """One connection; when it is refused or lost, say so and wait before the next."""
        began = time.monotonic()
        bus = connection(self._url, self._settings)
        lost = (*bus.connection_errors, *bus.channel_errors, KombuError, OSError)
        try:
            self._listen(bus, committer, lost)
            return
        except Stopped:
            raise
        except lost as error:
            tell, reason = self._log.warning, mask_url(str(error) or type(error).__name__)
            if _OTHER_FLAGS in reason:
                tell, reason = self._log.error, f"{reason}. {_REMEDY}"
        except ImportError as error:
            tell, reason = self._log.error, f"a library is missing: {error}"
        except Exception as error:  # noqa: BLE001 - what kombu cannot read must not end it all
            tell, reason = self._log.exception, mask_url(f"{type(error).__name__}: {error}")
        if time.monotonic() - began > self._settings.reconnect_max_seconds:
            backoff.reset()
        self._trouble = reason
        seconds = backoff.step()
        tell("bus.unavailable", reason=reason, retry_in_seconds=round(seconds, 2))
        self._pause(seconds)

    def _listen(
        self, bus: Any, committer: Committer[Decisions], lost: tuple[type[Exception], ...]
    ) -> None:
        """One connection, from its beginning until `stop`. Raises what ends it before."""
        source: Source | None = None
        try:
            bus.connect()
            source = self._source(bus)
            self._log.info("bus.listening", queues=list(self._settings.queues))
            self._trouble = ""
            while not self._stopping:
                self.pulse.beat()
                self._count(source)
                batch = source.next_batch()
                if batch:
                    self._work_off(batch, source, committer)
        finally:
            # What cannot be given back now comes again by the transport's own rules.
            with suppress(*lost):
                if source:
                    source.close()
            with suppress(*lost):
                bus.release()

    def _source(self, bus: Any) -> Source:
        kind = _SOURCES.get(driver_of(self._url), KombuSource)
        return kind(bus, self._settings, self.name, self.pulse.beat)

    def _count(self, source: Source) -> None:
        if (now := time.monotonic()) >= self._count_at:
            self._count_at = now + _COUNT_EVERY_SECONDS
            self._waiting = source.waiting()

    def _work_off(self, batch: Batch, source: Source, committer: Committer[Decisions]) -> None:
        decisions = self._worker.decide(batch.messages)
        if decisions is not None:
            source.stay_alive_until(committer.begin(decisions))
        source.acknowledge(batch)

    def _pause(self, seconds: float) -> None:
        over = time.monotonic() + seconds
        while not self._stopping and (left := over - time.monotonic()) > 0:
            self.pulse.beat()
            time.sleep(min(left, TICK_SECONDS))
