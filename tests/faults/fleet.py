"""Two listeners and two notifiers, as a supervisor and a careless operator treat them.

The second listener is a parent with two workers. Each process has a log of its own, over all its
lives, and a clock of its own that can be set. One that ends by itself is started again, as systemd
would, and counted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults import full_disk
from faults.jumping_clock import set_ahead
from processes import TocsinProcess, parsed_log
from waiting import eventually

LISTENERS, NOTIFIERS = ("listener-1", "listener-2"), ("notifier-1", "notifier-2")
_PARENT = "listener-2"
_LONGEST_LEASE_SECONDS = 400.0
_ROOM_BYTES = 16 * 1024
_CLOCKED = Path(__file__).with_name("jumping_clock.py")


class Fleet:
    """The processes by name. Close it when done."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self._processes: dict[str, TocsinProcess] = {}
        self.ended_by_itself: Counter[str] = Counter()
        self.refused_to_end: list[str] = []
        for name in self.names:
            self.set_clock(name, 0.0)
            self._start(name)

    @property
    def names(self) -> tuple[str, ...]:
        return (*LISTENERS, *NOTIFIERS)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """No process can write to the database, while its log still has some room."""
        self.supervise()
        # Not the parent, which keeps nothing there: what it starts would have the limit as well.
        pids = [process.pid for name, process in self._processes.items() if name != _PARENT]
        pids += _children(self._processes[_PARENT].pid)
        logged = max(self._log_path(name).stat().st_size for name in self.names)
        full_disk.fill(pids, logged + _ROOM_BYTES)
        try:
            yield
        finally:
            full_disk.free(pids)

    def kill(self, name: str) -> None:
        """kill -9, and a new life."""
        self._processes[name].kill()
        self._restart(name)

    def kill_worker(self) -> None:
        """kill -9 of one worker under its parent, which is to start another."""
        self.wait_until_started(_PARENT)
        if workers := _children(self._processes[_PARENT].pid):
            os.kill(workers[0], signal.SIGKILL)

    def terminate(self, name: str) -> None:
        """SIGTERM, and a new life. An exit code other than 0 is remembered."""
        self.wait_until_started(name)  # before that there is nothing to drain
        self._end(name)
        self._restart(name)

    def pass_leases(self) -> None:
        """Set all clocks ahead of what those who were killed have held on to."""
        for name in self.names:
            self.set_clock(name, _LONGEST_LEASE_SECONDS)

    def set_clock(self, name: str, seconds_ahead: float) -> None:
        """Set the wall clock of one process."""
        set_ahead(self._clock(name), seconds_ahead)

    def supervise(self) -> None:
        """Start again what has ended by itself."""
        for name, process in self._processes.items():
            if (code := process.exit_code) is not None:
                assert code != 2, f"{name} cannot work so: {process.log()[-3:]}"
                self.ended_by_itself[f"a {_command(name)} ended by itself with {code}"] += 1
                self._restart(name)

    def wait_until_started(self, *names: str) -> None:
        """Until these processes, or all, are at work."""

        def started() -> bool:
            self.supervise()
            return all(self._has_started(name) for name in names or self.names)

        eventually(started, "every process is at work", seconds=90)

    def terminate_all(self) -> None:
        """SIGTERM to all, for good."""
        self.wait_until_started()
        for name in self.names:
            self._end(name)

    def log(self) -> list[dict[str, Any]]:
        """All that all processes have logged, with the name of the process."""
        return [
            {"process": name, **line}
            for name in self.names
            for line in parsed_log(self._log_path(name).read_bytes())
        ]

    def close(self) -> None:
        for process in self._processes.values():
            process.__exit__(None, None, None)

    def _has_started(self, name: str) -> bool:
        told = {line.get("event") for line in self._processes[name].log()}
        # The workers of a parent that was killed go on for a moment, and log to the same file.
        return "process.started" in told and (name != _PARENT or "workers.starting" in told)

    def _end(self, name: str) -> None:
        code = self._processes[name].terminate(seconds=60)
        if code != 0:
            self.refused_to_end.append(f"{name} with {code}")

    def _restart(self, name: str) -> None:
        self._processes[name].__exit__(None, None, None)
        self._start(name)

    def _start(self, name: str) -> None:
        self._processes[name] = TocsinProcess(
            *(_command(name), "--workers", "2" if name == _PARENT else "1"),
            environment=self._environment,
            log_path=self._log_path(name),
            name=name,
            program=(sys.executable, str(_CLOCKED), str(self._clock(name))),
        )

    def _log_path(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _clock(self, name: str) -> Path:
        return self._folder / f"{name}.clock"


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except FileNotFoundError:
        return []  # it has ended by itself just now


def _command(name: str) -> str:
    return name.partition("-")[0]
