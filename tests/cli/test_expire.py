"""`tocsin expire` removes what is too old, or only counts it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.access.settings import ClientSettings
from pipeline.cli.expire import expire
from pipeline.store.archive import EventFilter
from pipeline.store.sql import SqlStore

from builders import an_alarm, an_event
from cli.application import Tocsin


@pytest.fixture
def tocsin(store: SqlStore) -> Tocsin:
    """An alarm and two events of a hundred days ago."""
    store.create(an_alarm())
    store.keep_events([an_event(), an_event()])
    tocsin = Tocsin(store, expire)
    tocsin.application.now += timedelta(days=100)
    return tocsin


def test_a_dry_run_counts_and_removes_nothing(tocsin: Tocsin, store: SqlStore) -> None:
    assert (
        tocsin("expire", "--dry-run")
        == """\
+----------------+---------+
| what           | too_old |
+----------------+---------+
| deliveries     |       0 |
| dead_letters   |       0 |
| firings        |       0 |
| history        |       1 |
| changes        |       0 |
| tokens         |       0 |
| rejected       |       0 |
| deleted_alarms |       0 |
| events         |       2 |
+----------------+---------+
"""
    )
    assert len(store.events(EventFilter())) == 2


def test_it_removes_only_what_is_named(tocsin: Tocsin, store: SqlStore) -> None:
    assert tocsin("expire", "--what", "events", "-f", "value") == "events 2\n"
    assert tocsin("expire", "--what", "events", "--dry-run", "-f", "value") == "events 0\n"
    assert tocsin("expire", "--what", "history", "--dry-run", "-f", "value") == "history 1\n"


def test_it_removes_all_that_is_too_old(tocsin: Tocsin, store: SqlStore) -> None:
    assert "events 2" in tocsin("expire", "-f", "value")
    assert "events 0" in tocsin("expire", "-f", "value")


def test_it_does_nothing_here_where_a_server_is_asked(tocsin: Tocsin, store: SqlStore) -> None:
    tocsin.application.client = ClientSettings(server="https://tocsin.example:8042")
    assert "https://tocsin.example:8042 is asked. Run it there" in tocsin.fails("expire", code=2)
    assert len(store.events(EventFilter())) == 2
