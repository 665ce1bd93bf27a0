"""Tocsin's commands as processes of their own, for tests that must be true outside of this one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from waiting import DEADLINE_SECONDS, eventually

_ANY_PORT = {"TOCSIN_API_PORT": "0"}
"""Several processes run at once, and the API's own port can be had by one."""

TOCSIN = (sys.executable, "-m", "pipeline")


class TocsinProcess:
    """`tocsin ARGUMENTS` in a process group of its own; its log is JSON Lines in `log_path`."""

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        log_path: Path,
        name: str = "",
        program: Sequence[str] = TOCSIN,
    ) -> None:
        self.name = name or arguments[0]
        self._log_path = log_path
        self._log = log_path.open("ab")
        self._seen_from = self._log.tell()
        self._process = subprocess.Popen(
            [*program, *arguments],
            env={**_clean_environment(), **_ANY_PORT, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> TocsinProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.kill()
        self._log.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def log(self) -> list[dict[str, Any]]:
        """Every log line of this process so far; a line that is not JSON as `{"text": line}`."""
        return parsed_log(self._log_path.read_bytes()[self._seen_from :])

    def wait_for_log(self, event: str, seconds: float = DEADLINE_SECONDS) -> dict[str, Any]:
        """The first log line of that event name, waited for. Fails if the process ends first."""

        def look() -> dict[str, Any] | None:
            for line in self.log():
                if line.get("event") == event:
                    return line
            assert self._process.poll() is None, f"{self.name} ended: {self.log()[-5:]}"
            return None

        found = eventually(look, f"{self.name} logs {event!r}", seconds)
        assert found is not None
        return found

    def terminate(self, seconds: float = DEADLINE_SECONDS) -> int:
        """SIGTERM, and the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = DEADLINE_SECONDS) -> int:
        return self._process.wait(seconds)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait(DEADLINE_SECONDS)


def tocsin(*arguments: str, environment: Mapping[str, str], stdin: bytes = b"") -> str:
    """Run `tocsin ARGUMENTS` to its end; its standard output. Fails unless it exits 0."""
    done = subprocess.run(
        [*TOCSIN, *arguments],
        env={**_clean_environment(), **environment},
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def parsed_log(text: bytes) -> list[dict[str, Any]]:
    """The lines of a log; a line that is not JSON as `{"text": line}`."""
    return [_parsed(line) for line in text.splitlines()]


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"text": line.decode(errors="replace")}
