"""The servers that the faults are done to, and the seed of their chance."""

from __future__ import annotations

import logging
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.receiver import Receiver

from faults.postgresql_server import PROGRAMS, OwnPostgresql


@pytest.fixture
def chance(record_property: Callable[[str, object], None]) -> random.Random:
    """Seeded; the seed stands in the report. TOCSIN_TEST_SEED repeats a run."""
    seed = int(os.environ.get("TOCSIN_TEST_SEED") or time.time_ns() % 1_000_000)
    print(f"TOCSIN_TEST_SEED={seed}")
    record_property("report", f"TOCSIN_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What pika says of every connection that is broken here would bury all else."""
    caplog.set_level(logging.CRITICAL, logger="pika")


@pytest.fixture(scope="session")
def _postgresql(skip_without: Callable[..., NoReturn]) -> Iterator[OwnPostgresql]:
    # Not in pytest's folder: PostgreSQL becomes another user, who may not enter that.
    with tempfile.TemporaryDirectory(prefix="tocsin-postgresql-") as folder:
        try:
            server = OwnPostgresql(Path(folder))
        except FileNotFoundError as missing:
            skip_without(missing, **PROGRAMS)
        try:
            yield server
        finally:
            server.crash()


@pytest.fixture
def own_postgresql(_postgresql: OwnPostgresql) -> OwnPostgresql:
    """A cluster of this run's own, up and empty."""
    _postgresql.start()
    _postgresql.empty()
    return _postgresql
