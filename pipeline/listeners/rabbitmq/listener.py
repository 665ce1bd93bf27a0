"""Listens on one RabbitMQ broker: connects, works off batches, comes back after what happens.

A batch is decided on in the listener's own thread. What has something to commit goes to a second
one, while this thread answers the broker (heartbeats) and decides on the batches that follow,
however long the database takes. A batch is acknowledged after its commit and never before, so
whatever is lost on the way, a connection, the broker, this process, the broker still has the batch
and sends it again.

Only the listener's thread touches the connection. Made by the composition root, one per broker.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import structlog
from pika.exceptions import AMQPError

from pipeline.errors import BrokerError
from pipeline.listeners.backoff import Backoff
from pipeline.listeners.base import Stopped, Worker
from pipeline.listeners.committer import Committer
from pipeline.listeners.rabbitmq.backlog import Backlog
from pipeline.listeners.rabbitmq.connection import (
    broker_name,
    cause,
    connect,
    connection_parameters,
)
from pipeline.listeners.rabbitmq.consumer import TICK_SECONDS, Consumer
from pipeline.listeners.rabbitmq.lookout import Lookout
from pipeline.listeners.rabbitmq.settings import RabbitmqSettings
from pipeline.listeners.rabbitmq.timestamps import accept_every_timestamp
from pipeline.listeners.rabbitmq.topology import Topology
from pipeline.observer import Pulse

Decision = TypeVar("Decision")


class RabbitmqListener(Generic[Decision]):
    """A `pipeline.listeners.base.Listener` for the broker at `url`.

    Raises `InvalidValue` where `url` or a TLS file cannot be used; nothing is connected before
    `run`. `jitter` gives a number in [0, 1).
    """

    def __init__(
        self,
        settings: RabbitmqSettings,
        url: str,
        worker: Worker[list[Decision]],
        *,
        log: Any = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        accept_every_timestamp()
        self._settings = settings
        self._parameters = connection_parameters(url, settings)
        self._broker = broker_name(self._parameters)
        self.name = f"rabbitmq {self._broker}"
        self._worker = worker
        self._log = (log or structlog.get_logger()).bind(broker=self._broker)
        self._jitter = jitter
        self._stopping = False
        self._trouble = "has not connected yet"
        self._lookout: Lookout | None = None
        self.pulse = Pulse()

    def run(self) -> None:
        """Listen until `stop`, through every loss of the connection."""
        committer = Committer(self._worker.commit, f"{self.name} commit")
        backoff = self._backoff()
        try:
            while not self._stopping:
                self._listen_while_possible(committer, backoff)
        except Stopped:
            self._log.warning("rabbitmq.batch_returned", reason="stopped before it was committed")
        finally:
            committer.close()
        self._log.info("rabbitmq.stopped")

    def stop(self) -> None:
        """Take no more messages; finish the batch in hand, acknowledge it, return from `run`.

        Sets a flag and nothing else, so that it is safe in a signal handler.
        """
        self._stopping = True

    def trouble(self) -> str:
        """Why nothing comes from the broker, `''` while it is connected. From any thread."""
        return self._trouble

    def depths(self) -> dict[str, int]:
        """How many messages wait in each queue, as last asked. From any thread."""
        return self._lookout.waiting if self._lookout else {}

    def _listen_while_possible(
        self, committer: Committer[list[Decision]], backoff: Backoff
    ) -> None:
        """One connection; when it is refused or lost, say so and wait before the next."""
        began = time.monotonic()
        try:
            self._listen(committer)
        except BrokerError as refusal:
            tell, reason = self._log.error, str(refusal)
        except AMQPError as error:
            tell, reason = self._log.warning, cause(error)
        else:
            return
        if time.monotonic() - began > self._settings.reconnect_max_seconds:
            backoff.reset()
        seconds = backoff.step()
        self._trouble = reason
        tell("rabbitmq.unavailable", reason=reason, retry_in_seconds=round(seconds, 2))
        self._pause(seconds)

    def _listen(self, committer: Committer[list[Decision]]) -> None:
        """One connection, from its beginning until `stop`. Raises what ends it before."""
        connection = connect(self._parameters)
        try:
            self._log.info("rabbitmq.connected")
            consumer = Consumer(connection, self._settings, self._broker, self._log)
            backlog = Backlog(consumer, committer, self._settings.batch_size)
            try:
                self._lookout = self._looking_out(connection, consumer)
                self._trouble = ""
                self._work_off(consumer, backlog, self._lookout)
            finally:
                backlog.abandon(self.pulse.beat)
        finally:
            self._close(connection)

    def _work_off(self, consumer: Consumer, backlog: Backlog[Decision], lookout: Lookout) -> None:
        """Batch after batch until `stop`, and then until what is being committed is."""
        while True:
            self.pulse.beat()
            lookout.look()
            batch = consumer.next_batch()
            if self._stopping:
                break
            if batch:
                decisions = self._worker.decide(batch.messages)
                backlog.add(batch.last_tag, decisions, alone=len(batch.messages) == 1)
            else:
                backlog.advance()
        backlog.finish()
        consumer.finish()

    def _looking_out(self, connection: Any, consumer: Consumer) -> Lookout:
        def complain(reason: str) -> None:
            self._log.error("rabbitmq.refused", reason=reason)

        topology = Topology(self._settings, connection, complain)
        queues = self._settings.queue_names()
        return Lookout(queues, topology, consumer, self._backoff(), self._log)

    def _backoff(self) -> Backoff:
        settings = self._settings
        return Backoff(
            settings.reconnect_min_seconds, settings.reconnect_max_seconds, self._jitter
        )

    def _close(self, connection: Any) -> None:
        """Close what is still open; the broker then returns what was not acknowledged."""
        if connection.is_open:
            try:
                connection.close()
            except AMQPError as error:
                self._log.debug("rabbitmq.closed_hard", reason=cause(error))

    def _pause(self, seconds: float) -> None:
        over = time.monotonic() + seconds
        while not self._stopping and (left := over - time.monotonic()) > 0:
            self.pulse.beat()
            time.sleep(min(left, TICK_SECONDS))
