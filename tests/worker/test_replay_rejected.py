"""A rejected event that is taken in again is either taken or still there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.app import Application
from pipeline.store.base import RejectedEvent

from builders import NOON, an_alarm

BODY = json.dumps(
    {
        "message_id": "m-1",
        "publisher_id": "identity.keystone-1",
        "event_type": "identity.user.deleted",
        "payload": {"resource_info": "u-1"},
        "timestamp": "2026-01-02 12:00:00.000000",
    }
).encode()
REJECTED = RejectedEvent("r-1", "the store had a bug", BODY, None, {}, "q", NOON)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tocsin.sqlite"


@pytest.fixture
def application(database: Path) -> Iterator[Application]:
    application = Application(None, {"TOCSIN_DATABASE_URL": f"sqlite:///{database}"})
    application.store.create(an_alarm(all_projects=True))
    yield application
    application.close()


def test_event_that_can_be_recorded_now_is_taken(application: Application) -> None:
    assert application.replay_rejected(REJECTED) is None
    assert application.store.counts().firings == 1


def test_event_that_cannot_be_recorded_again_is_not_taken(
    application: Application, database: Path
) -> None:
    """Whoever replays it forgets what was taken: it would be lost."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "CREATE TRIGGER bug BEFORE INSERT ON firing BEGIN SELECT RAISE(ABORT, 'a bug'); END"
        )

    reason = application.replay_rejected(REJECTED)

    assert reason is not None
    assert "could not be recorded" in reason
    assert application.store.counts().firings == 0


def test_each_of_several_is_judged_by_itself_and_by_the_alarms_as_they_are(
    application: Application, database: Path
) -> None:
    """One worker takes them all in: it must neither confuse nor outdate them."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "CREATE TRIGGER bug BEFORE INSERT ON firing BEGIN SELECT RAISE(ABORT, 'a bug'); END"
        )
        assert application.replay_rejected(REJECTED) is not None
        connection.execute("DROP TRIGGER bug")
    later = an_alarm(all_projects=True)
    application.store.create(later)

    assert application.replay_rejected(REJECTED) is None
    assert application.store.counts().firings == 2
    assert application.store.get(later.alarm_id).state == "alarm"
