"""Waiting for what other threads and processes do: on a condition, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

DEADLINE_SECONDS = 30.0
T = TypeVar("T")


def eventually(look: Callable[[], T], what: str = "", seconds: float = DEADLINE_SECONDS) -> T:
    """Look until the result is true, and return it; fail, naming `what`, after the deadline."""
    deadline = time.monotonic() + seconds
    while not (result := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what} (is {result!r})"
        time.sleep(0.01)
    return result


class Running(Protocol):
    """A part of a process."""

    def run(self) -> None: ...

    def stop(self) -> None: ...


@contextmanager
def running(part: Running) -> Iterator[threading.Thread]:
    """The part, running in a thread; stopped at the end, and joined."""
    thread = threading.Thread(target=part.run, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        part.stop()
        thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive(), "run did not return after stop"
