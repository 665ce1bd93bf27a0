"""A PostgreSQL cluster of the tests' own, to be stopped, crashed and made to refuse statements.

One cluster in a temporary folder, on a port of its own; its data survive `stop` and `crash`. It
needs the programs `initdb` and `postgres` (the package postgresql); `PROGRAMS` says so where a
test is skipped for want of them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

from ports import lasting_port

_DEADLINE_SECONDS = 60
_DEBIAN = Path("/usr/lib/postgresql")

PROGRAMS: dict[str, str] = {
    "variable": "the programs initdb and postgres",
    "default": "",
    "promises": "restarts and crashes of PostgreSQL lose nothing",
    "start": "apt-get install postgresql",
}

# What a crash of the machine needs is left out: here only processes die.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "autovacuum_naptime": "10s",
}


class OwnPostgresql:
    """One cluster on loopback. Raises `FileNotFoundError` where PostgreSQL is not installed."""

    def __init__(self, folder: Path) -> None:
        self._data, self._console = folder / "data", folder / "console"
        self._port = lasting_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._initdb, self._postgres = _program("initdb"), _program("postgres")
        # PostgreSQL refuses to run as root; its package made a user for it.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._make()

    @property
    def url(self) -> str:
        """The URL of its database for its superuser."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it takes connections. Nothing if it runs."""
        if self._process is not None:
            return
        settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        with self._console.open("ab") as console:
            self._process = subprocess.Popen(
                [self._postgres, "-D", str(self._data), "-p", str(self._port), *settings],
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self._answers():
            ended = self._process.poll()
            assert ended is None, f"postgres ended with {ended}: {self._said()}"
            assert time.monotonic() < deadline, f"postgres is not up: {self._said()}"
            time.sleep(0.05)

    def stop(self) -> None:
        """Break off every transaction and stop in an orderly way (a "fast" shutdown)."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End at once, without a checkpoint: the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def drop_connections(self) -> None:
        """Break off every connection but this call's own."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def execute(self, statement: str) -> list[Any]:
        """Carry a statement out as the superuser; its rows."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []

    def empty(self) -> None:
        """Drop all tables, and break off whoever is connected."""
        self.drop_connections()
        self.execute("DROP SCHEMA public CASCADE")
        self.execute("CREATE SCHEMA public")

    def _make(self) -> None:
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(
            [self._initdb, "-D", str(self._data), *options],
            user=self._user,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            timeout=_DEADLINE_SECONDS,
        )
        assert done.returncode == 0, done.stderr.decode()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.wait(_DEADLINE_SECONDS)
        self._process = None

    def _said(self) -> str:
        return self._console.read_text(errors="replace")[-2000:]


def _program(name: str) -> str:
    """The program; Debian keeps it outside of the path, in a folder for each version."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name))
    folders = [os.environ.get("PATH", ""), *map(str, reversed(versions))]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found
