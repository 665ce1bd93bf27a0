"""What the tests of the commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    """A real store, new and empty, at noon."""
    store = SqlStore.open(DatabaseSettings(url=sqlite_url), clock=lambda: NOON)
    yield store
    store.close()
