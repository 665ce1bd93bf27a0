"""What a benchmark runs Tocsin in: a database of its own, an alarm that fires, its processes.

Used by the benchmarks that look at Tocsin from outside. Measures nothing itself but what /proc
tells of a process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psycopg

from pipeline.alarms.alarm import Alarm, EventRule

POSTGRESQL = os.environ.get(
    "TOCSIN_TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def postgresql_database(name: str) -> Iterator[str]:
    """The URL of a new database, which goes at the end."""
    database = f"tocsin_bench_{name}_{os.getpid()}"
    with psycopg.connect(POSTGRESQL, autocommit=True, connect_timeout=5) as server:
        server.execute(f"CREATE DATABASE {database}")
        try:
            yield f"{POSTGRESQL.rsplit('/', 1)[0]}/{database}"
        finally:
            server.execute(f"DROP DATABASE {database} WITH (FORCE)")


def an_alarm_for_all(action: str) -> Alarm:
    """An alarm that every event fires, again and again."""
    now = datetime.now(UTC)
    return Alarm(
        alarm_id=str(uuid.uuid4()),
        name="every event",
        rule=EventRule("*"),
        description="",
        timestamp=now,
        state_timestamp=now,
        all_projects=True,
        repeat_actions=True,
        alarm_actions=(action,),
    )


class TocsinProcess:
    """`tocsin COMMAND` with these settings; in a `with` statement it is ended at the end."""

    def __init__(self, command: str, environment: Mapping[str, str]) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of `with`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", command],
            env={**os.environ, **environment, "TOCSIN_LOG_FORMAT": "json"},
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> TocsinProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def wait_for(self, event: str, seconds: float = 60) -> dict[str, Any]:
        """The first line of the log with this event."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.log():
                if line.get("event") == event:
                    return line
            if self._process.poll() is not None:
                raise RuntimeError(f"tocsin ended: {self.log()[-5:]}")
            time.sleep(0.005)
        raise TimeoutError(f"no {event} within {seconds} s: {self.log()[-5:]}")

    def log(self) -> list[dict[str, Any]]:
        """Every line so far."""
        written = os.pread(self._log.fileno(), 1 << 26, 0).splitlines()
        return [json.loads(line) for line in written if line.startswith(b"{")]

    def cpu_seconds(self) -> float:
        """User and system, since it was started."""
        # The command's name, in parentheses, may hold spaces.
        stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _TICKS

    def peak_memory_mb(self) -> float:
        """The most memory that it ever held."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the system does not tell the memory of a process")
