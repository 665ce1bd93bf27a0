"""Process: runs the parts of one process in threads, and ends them in the right order.

The first SIGTERM or SIGINT drains: listeners first, so that nothing new comes in; then what
they hand to; the notifier last. A second one ends the process at once, which loses nothing
either: what was not committed is still with its source, what was not recorded is still leased.
SIGHUP reloads. A part that dies of a bug takes the process down, for its supervisor to start anew.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from pipeline.options import option

EXIT_OK, EXIT_FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """The settings `process.*`."""

    drain_seconds: float = option(
        30.0,
        "After SIGTERM: how long at most to finish what is in hand. Keep it below the time "
        "after which your supervisor kills.",
        minimum=0,
    )


class Part(Protocol):
    """Something that runs in a thread of its own until it is stopped."""

    @property
    def name(self) -> str:
        """For the log."""

    def run(self) -> None:
        """Work until `stop`."""

    def stop(self) -> None:
        """Take no more work, finish what is in hand, return from `run`. From any thread."""


class Process:
    """Runs stages of parts, each part in a thread; stages are stopped in the order of adding.

    `on_hangup` is called on SIGHUP, `on_drain` when draining begins.
    """

    def __init__(self, *, log: Any, drain_seconds: float) -> None:
        self._log, self._drain_seconds = log, drain_seconds
        self._stages: list[Sequence[Part]] = []
        self.on_hangup: Callable[[], None] = _nothing
        self.on_drain: Callable[[], None] = _nothing
        self._wanted = threading.Event()
        self._hangup = False
        self._signals = 0
        self._failed = False
        self._threads: dict[Part, threading.Thread] = {}

    @property
    def draining(self) -> bool:
        """Whether it was told to end, or must because a part ended."""
        return self._wanted.is_set()

    @property
    def parts(self) -> list[Part]:
        """All parts of all stages."""
        return [part for stage in self._stages for part in stage]

    def ended(self) -> list[str]:
        """The names of the parts that were started and run no more."""
        return [part.name for part, thread in self._threads.items() if not thread.is_alive()]

    def add_stage(self, parts: Sequence[Part]) -> None:
        """Parts to stop together, after those that were added before."""
        self._stages.append(parts)

    def join_last_stage(self, part: Part) -> None:
        """One part more that is stopped with the last stage."""
        self._stages[-1] = [part, *self._stages[-1]]

    def run(self) -> int:
        """Run until a signal comes or a part fails; returns the exit code."""
        before = self._take_signals()
        try:
            for part in (part for stage in reversed(self._stages) for part in stage):
                thread = threading.Thread(target=self._run, args=(part,), name=part.name)
                thread.daemon = True
                self._threads[part] = thread
                thread.start()
            self._log.info("process.started", parts=[part.name for part in self._threads])
            self._wait()
            return self._drain()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """As the first signal does."""
        self._wanted.set()

    def hang_up(self) -> None:
        """As SIGHUP does: `on_hangup` is called soon, in the process's own thread."""
        self._hangup = True

    def _take_signals(self) -> dict[int, Any]:
        handlers = {
            signal.SIGTERM: self._on_signal,
            signal.SIGINT: self._on_signal,
            signal.SIGHUP: self._on_hangup,
        }
        return {number: signal.signal(number, h) for number, h in handlers.items()}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals > 1:
            os._exit(EXIT_FAILED)
        self._wanted.set()

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        self.hang_up()

    def _run(self, part: Part) -> None:
        try:
            part.run()
        except BaseException:  # noqa: BLE001 - the top of the thread: logged, and the process ends
            self._failed = True
            self._log.exception("process.part_failed", part=part.name)
        self._wanted.set()

    def _wait(self) -> None:
        # Short waits, so that a signal's handler runs soon wherever the signal was delivered.
        while not self._wanted.wait(0.2):
            if self._hangup:
                self._hangup = False
                self.on_hangup()

    def _drain(self) -> int:
        """Stop stage by stage, all within the bound."""
        started = time.monotonic()
        self._log.info("process.draining", bound_seconds=self._drain_seconds)
        self.on_drain()
        for stage in self._stages:
            for part in stage:
                part.stop()
            for part in stage:
                left = self._drain_seconds - (time.monotonic() - started)
                self._threads[part].join(max(left, 0))
        late = [part.name for part, thread in self._threads.items() if thread.is_alive()]
        if late:
            self._log.warning("process.not_drained", parts=late)
        self._log.info("process.stopped", failed=self._failed)
        return EXIT_FAILED if self._failed or late else EXIT_OK


def _nothing() -> None:
    """For hooks that nobody set."""
