"""Sees to it that every queue is listened to, and looks again for those that are not there.

A queue may be missing because no service has sent to it yet, or because it was deleted under us.
Called by the listener between batches; it costs nothing while all queues are listened to.
"""

from __future__ import annotations

import time
from typing import Any

from pipeline.listeners.backoff import Backoff
from pipeline.listeners.rabbitmq.consumer import Consumer
from pipeline.listeners.rabbitmq.topology import Topology

_COUNT_EVERY_SECONDS = 10.0


class Lookout:
    """Watches over the queues of one connection."""

    def __init__(
        self,
        queues: tuple[str, ...],
        topology: Topology,
        consumer: Consumer,
        backoff: Backoff,
        log: Any,
    ) -> None:
        self._wanted = queues
        self._topology = topology
        self._consumer = consumer
        self._backoff = backoff
        self._log = log
        self._listening: set[str] = set()
        self._missing: list[str] = []
        self._look_at = self._count_at = time.monotonic()
        self.waiting: dict[str, int] = {}
        """How many messages wait in each queue that is listened to, as last asked."""

    def look(self) -> None:
        """Listen to whatever wanted queue is not listened to, if it is time to look for it."""
        listening = self._consumer.queues
        self._count(listening)
        if len(listening) < len(self._listening):
            # One has just gone, and while it is away what is sent to it is lost: look at once.
            self._backoff.reset()
            self._look_at = time.monotonic()
        self._listening = set(listening)
        if len(listening) == len(self._wanted) or time.monotonic() < self._look_at:
            return
        missing = [queue for queue in self._wanted if queue not in self._listening]
        for queue in self._topology.ready(missing, known=listening):
            self._consumer.consume(queue)
        self._tell(missing)
        self._look_at = time.monotonic() + self._backoff.step()

    def _count(self, listening: list[str]) -> None:
        if (now := time.monotonic()) >= self._count_at:
            self._count_at = now + _COUNT_EVERY_SECONDS
            self.waiting = self._topology.waiting(listening)

    def _tell(self, were_missing: list[str]) -> None:
        self._listening = set(self._consumer.queues)
        appeared = [queue for queue in were_missing if queue in self._listening]
        missing = [queue for queue in were_missing if queue not in self._listening]
        if appeared:
            self._log.info("rabbitmq.listening", queues=appeared)
        if missing != self._missing:
            self._missing = missing
            if missing:
                self._log.info("rabbitmq.waiting", queues=missing, until="a service declares them")
