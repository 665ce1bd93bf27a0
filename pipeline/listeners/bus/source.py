"""What the bus listener needs of an open connection.

Only the listener's thread may call it. What it raises beside bugs is in `lost`: the connection is
then gone, and what was not acknowledged comes again by the transport's own rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, NamedTuple, Protocol, TypeVar

from pipeline.listeners.base import Message
from pipeline.listeners.bus.settings import BusSettings

TICK_SECONDS = 0.2
"""The longest that a call waits for messages, so that a wish to stop is soon seen."""

Taken = TypeVar("Taken")


class Batch(NamedTuple):
    """Messages to be worked on together, and what acknowledges each."""

    messages: list[Message]
    tags: list[Any]


class Source(Protocol):
    """Queues of one connection, consumed."""

    def next_batch(self) -> Batch | None:
        """What has come in, up to the batch size. None when nothing came within a tick."""

    def acknowledge(self, batch: Batch) -> None:
        """Let the transport forget the batch."""

    def stay_alive_until(self, outcome: Future[None]) -> None:
        """Keep connection and claims while the commit goes on; raises what the commit raised."""

    def waiting(self) -> Mapping[str, int]:
        """How many messages wait in each queue, where the transport can say it."""

    def close(self) -> None:
        """Give back what was taken and not acknowledged, and let go of the connection."""


def gather(settings: BusSettings, receive: Callable[[float, int], int], waiting: int) -> None:
    """Receive until a batch is full, nothing more is at hand or its time is over.

    `receive(seconds, most)` gives how many it took; `waiting` were taken before.
    """
    if not waiting:
        waiting = receive(TICK_SECONDS, settings.batch_size)
    gathered_by = time.monotonic() + settings.batch_wait_seconds
    while 0 < waiting < settings.batch_size:
        taken = receive(0, settings.batch_size - waiting)
        waiting += taken
        if not taken or time.monotonic() >= gathered_by:
            break


def ask_again(take: Callable[[], Taken], seconds: float, every: float) -> Taken:
    """What is taken, asking again and again while there is nothing and the time lasts."""
    until = time.monotonic() + seconds
    while not (taken := take()):
        left = until - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(left, every))
    return taken


def wait_for(
    outcome: Future[None],
    every: float,
    keep: Callable[[], object],
    beat: Callable[[], object],
) -> None:
    """Call `keep` now and then until the commit has ended; raises what the commit raised.

    `beat` is called each tick: who waits for the database is not stuck.

    Should `keep` fail, as when the connection is lost, the commit's end is awaited all the same:
    the batch comes again, and must not be found half done.
    """
    try:
        keep_at = time.monotonic() + every
        while wait([outcome], min(every, TICK_SECONDS)).not_done:
            beat()
            if time.monotonic() >= keep_at:
                keep()
                keep_at = time.monotonic() + every
    except Exception:
        wait([outcome])
        outcome.result()
        raise
    outcome.result()
