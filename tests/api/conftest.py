"""What the tests of the API share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from api.asking import Api
from builders import NOON
from cli.application import TestApplication


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    """A real store, new and empty, at noon."""
    store = SqlStore.open(DatabaseSettings(url=sqlite_url), clock=lambda: NOON)
    yield store
    store.close()


@pytest.fixture
def api(store: SqlStore) -> Api:
    """The API on that store."""
    return Api(TestApplication(store))
