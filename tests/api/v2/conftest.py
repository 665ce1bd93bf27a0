"""What the tests of Aodh's API share."""

from __future__ import annotations

import pytest

from pipeline.store.sql import SqlStore

from api.v2.asking import Aodh
from cli.application import TestApplication


@pytest.fixture
def aodh(store: SqlStore) -> Aodh:
    """Aodh's API on that store."""
    return Aodh(TestApplication(store))
