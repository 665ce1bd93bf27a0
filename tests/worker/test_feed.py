"""A worker's alarms follow the store, whatever happens to it (alarms 13)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pipeline.alarms.alarm import Alarm, State
from pipeline.alarms.live import LiveAlarms
from pipeline.feed import AlarmFeed
from pipeline.store.base import AlarmChanges
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_rule, an_alarm, an_event

EVENT = an_event()


class Source:
    """A database in whose place its backup can be put."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store

    def all_enabled(self) -> tuple[int, Iterator[Alarm]]:
        return self.store.all_enabled()

    def changes_since(self, revision: int) -> AlarmChanges:
        return self.store.changes_since(revision)


@pytest.fixture
def present(tmp_path: Path) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=f"sqlite:///{tmp_path / 'present.sqlite'}")) as store:
        yield store


@pytest.fixture
def backup(tmp_path: Path) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=f"sqlite:///{tmp_path / 'backup.sqlite'}")) as store:
        yield store


def in_force(alarms: LiveAlarms) -> set[str]:
    return {alarm_id for alarm_id, _ in alarms.candidates([EVENT])}


def test_alarms_are_read_anew_when_the_database_was_put_back_to_an_earlier_time(
    present: SqlStore, backup: SqlStore
) -> None:
    """Its revisions count up from a lower number again: changes would go unseen until they pass
    the old one, and an alarm that had fired since the backup would stay quiet."""
    kept, since = (an_alarm(all_projects=True, rule=a_rule("*")) for _ in range(2))
    for store in (present, backup):
        store.create(kept)
    present.create(since)
    present.set_state(kept.alarm_id, State.ALARM, NOON)
    source, alarms = Source(present), LiveAlarms()
    feed = AlarmFeed(source, alarms, refresh_seconds=0.1, log=structlog.get_logger())
    feed.load()
    assert in_force(alarms) == {since.alarm_id}

    source.store = backup
    feed.refresh()
    assert in_force(alarms) == {kept.alarm_id}

    new = backup.create(an_alarm(all_projects=True, rule=a_rule("*")))
    feed.refresh()
    assert in_force(alarms) == {kept.alarm_id, new.alarm_id}
