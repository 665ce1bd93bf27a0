"""A Redis of the tests' own, to be killed, started again and looked at.

Needs the `redis-server` program (the package of that name); where that is missing the test is
skipped, which fails in CI. The fixture is everybody's (conftest names this module as a plugin).
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import redis

from waiting import eventually


class OwnRedis:
    """One Redis on loopback, which writes each command down before it answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, if it is not running; returns when it answers."""
        if self._process is None:
            options = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --appendfsync always"
            self._process = subprocess.Popen(
                ["redis-server", *options.split(), "--dir", str(self._folder)],
                stdout=subprocess.DEVNULL,
            )
        eventually(self._answers, "Redis answers")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> redis.Redis:
        """A client, to look at what it holds."""
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture(scope="session")
def _redis_server(skip_without: Callable[..., NoReturn]) -> Iterator[OwnRedis]:
    if shutil.which("redis-server") is None:
        skip_without(
            FileNotFoundError("no program redis-server"),
            variable="PATH",
            default="the program redis-server",
            promises="what Redis gave to a listener that died comes to another",
            start="apt-get install redis-server",
        )
    with tempfile.TemporaryDirectory(prefix="tocsin-redis-") as folder:
        server = OwnRedis(Path(folder))
        yield server
        server.kill()


@pytest.fixture
def own_redis(_redis_server: OwnRedis) -> OwnRedis:
    """The Redis of this run, up and empty."""
    _redis_server.start()
    with _redis_server.client() as client:
        client.flushall()
    return _redis_server
