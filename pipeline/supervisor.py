"""Supervisor: N worker processes under one parent that starts anew what dies.

The parent takes no event and makes no delivery; it starts the same command once for each worker,
passes signals on, and waits. A worker that ends unasked is started again, after a pause that grows
while it keeps dying. A worker that refuses its configuration at its very first start ends the
whole: to start it again would be answered the same.

SIGTERM or SIGINT drains all workers; a second one ends them at once. SIGHUP is passed on. Should
the parent itself be killed, its workers see the end of their standard input and drain: nobody is
left to take events that nobody watches over. Called by `tocsin listener` and `tocsin notifier`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeAlias

WorkerCommand: TypeAlias = Callable[[int], tuple[Sequence[str], Mapping[str, str]]]
"""Gives the command line and the environment of a worker, by its number, from 1."""

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2

_ENDED_BEFORE_IT_BEGAN = -signal.SIGTERM
"""A worker that takes events, or delivers, takes this signal too."""

_LOOK_SECONDS = 0.1
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
_WELL_AFTER_SECONDS = 60.0
"""A worker that lived this long was well: its next start comes without a long pause again."""
_GRACE_SECONDS = 5.0
"""Beyond a worker's own bound for draining: only one that hangs is still there then."""


@dataclass(slots=True)
class _Worker:
    number: int
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    started_at: float = 0.0
    pause_seconds: float = 0.0
    start_at: float = 0.0


class Supervisor:
    """Runs `count` workers."""

    def __init__(
        self,
        command: WorkerCommand,
        count: int,
        *,
        log: Any,
        drain_seconds: float,
        on_ended: Callable[[int], None] = lambda pid: None,
    ) -> None:
        self._command, self._log = command, log
        self._drain_seconds, self._on_ended = drain_seconds, on_ended
        self._workers = [_Worker(number) for number in range(1, count + 1)]
        self._stops = 0
        self._hangups = 0
        self._code = EXIT_OK

    def run(self) -> int:
        """Run until a signal comes; returns the exit code."""
        before = self._take_signals()
        self._log.info("workers.starting", workers=len(self._workers))
        try:
            while not self._stops:
                for worker in self._workers:
                    self._look_after(worker)
                self._pass_hangup_on()
                time.sleep(_LOOK_SECONDS)
            return self._drain()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """As the first SIGTERM does; called again, as the second. From any thread."""
        self._stops += 1

    # --- one worker --------------------------------------------------------------------------

    def _look_after(self, worker: _Worker) -> None:
        """Start it if it is due, notice if it has ended."""
        if worker.process is None:
            if time.monotonic() >= worker.start_at:
                self._start(worker)
            return
        code = worker.process.poll()
        if code is not None:
            self._ended(worker, code)

    def _start(self, worker: _Worker) -> None:
        command, environment = self._command(worker.number)
        # Its own session: Ctrl-C on a terminal comes to the parent alone, which passes it on.
        worker.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, start_new_session=True
        )
        worker.starts += 1
        worker.started_at = time.monotonic()
        self._log.info("worker.started", number=worker.number, pid=worker.process.pid)

    def _ended(self, worker: _Worker, code: int) -> None:
        assert worker.process is not None
        pid, worker.process = _let_go(worker.process), None
        self._on_ended(pid)
        if code == EXIT_USAGE and worker.starts == 1:
            self._log.error("workers.refused", number=worker.number, exit_code=code)
            self._code = EXIT_USAGE
            self.stop()
            return
        lived = time.monotonic() - worker.started_at
        longer = min(worker.pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        worker.pause_seconds = (
            _FIRST_PAUSE_SECONDS
            if lived > _WELL_AFTER_SECONDS
            else max(longer, _FIRST_PAUSE_SECONDS)
        )
        worker.start_at = time.monotonic() + worker.pause_seconds
        self._log.error(
            "worker.died",
            number=worker.number,
            pid=pid,
            exit_code=code,
            again_in_seconds=worker.pause_seconds,
        )

    # --- all of them -------------------------------------------------------------------------

    def _drain(self) -> int:
        """Let all finish what is in hand; end at once what does not, or when told again."""
        self._log.info("workers.draining", bound_seconds=self._drain_seconds)
        running = [worker for worker in self._workers if worker.process is not None]
        self._signal_all(signal.SIGTERM)
        end = time.monotonic() + self._drain_seconds + _GRACE_SECONDS
        stops = self._stops
        while running and time.monotonic() < end and self._stops == stops:
            running = [each for each in running if not self._has_drained(each)]
            time.sleep(_LOOK_SECONDS)
        for worker in running:
            assert worker.process is not None
            self._log.warning("worker.ended_at_once", number=worker.number)
            worker.process.kill()
            worker.process.wait()
            self._code = self._code or EXIT_FAILED
        self._log.info("workers.stopped", exit_code=self._code)
        return self._code

    def _has_drained(self, worker: _Worker) -> bool:
        assert worker.process is not None
        code = worker.process.poll()
        if code is None:
            return False
        self._on_ended(_let_go(worker.process))
        if code not in (EXIT_OK, _ENDED_BEFORE_IT_BEGAN):
            self._log.warning("worker.drained_badly", number=worker.number, exit_code=code)
            self._code = self._code or EXIT_FAILED
        return True

    def _signal_all(self, number: int) -> None:
        for worker in self._workers:
            if worker.process is not None and worker.process.poll() is None:
                worker.process.send_signal(number)

    # --- signals -----------------------------------------------------------------------------

    def _take_signals(self) -> dict[int, Any]:
        handlers = {
            signal.SIGTERM: self._on_stop,
            signal.SIGINT: self._on_stop,
            signal.SIGHUP: self._on_hangup,
        }
        return {number: signal.signal(number, h) for number, h in handlers.items()}

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop()

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        self._hangups += 1

    def _pass_hangup_on(self) -> None:
        if self._hangups:
            self._hangups = 0
            self._signal_all(signal.SIGHUP)


def when_parent_ends(act: Callable[[], None], descriptor: int = 0) -> None:
    """In a worker: `act` once its parent is gone, which is when the standard input ends."""

    def wait() -> None:
        # Not through sys.stdin, whose lock would be held when the interpreter ends.
        while os.read(descriptor, 1):
            pass
        act()

    threading.Thread(target=wait, name="parent watch", daemon=True).start()


def _let_go(process: subprocess.Popen[bytes]) -> int:
    """Close the pipe to a process that has ended; its id."""
    if process.stdin is not None:
        process.stdin.close()
    return process.pid
