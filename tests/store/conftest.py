"""A store on each kind of database, and what happens to it most often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from store.storing import Clock


@pytest.fixture
def clock() -> Clock:
    """The store's clock: it stands still until it is moved."""
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[SqlStore]:
    """A new, empty store on each kind of database in turn."""
    with SqlStore.open(DatabaseSettings(url=database_url), clock=clock) as opened:
        yield opened
