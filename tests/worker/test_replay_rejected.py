"""A rejected event that is taken in again is either taken or still there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from pipeline.app import Application
from pipeline.dispatch import TargetEntry
from pipeline.errors import ConfigError, StoreUnavailable
from pipeline.store.archive import EventFilter
from pipeline.store.base import RejectedEvent
from pipeline.store.database import Database
from pipeline.store.routing import Create

from builders import NOON, an_alarm
from processes import TocsinProcess

BODY = json.dumps(
    {
        "message_id": "m-1",
        "publisher_id": "identity.keystone-1",
        "event_type": "identity.user.deleted",
        "payload": {"resource_info": "u-1"},
        "timestamp": "2026-01-02 12:00:00.000000",
    }
).encode()
TO = """\
sources: [{{name: all, events: ["*"], sinks: [one]}}]
sinks: [{{name: one, publishers: ["alarms://", "{publisher}"]}}]
"""
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


def test_files_that_were_mended_meanwhile_are_read_again(database: Path, tmp_path: Path) -> None:
    """A process that serves the API goes by the files as they are, as a new command would."""
    pipelines = tmp_path / "pipelines.yaml"
    pipelines.write_text(TO.format(publisher="log://"), encoding="utf-8")
    settings = tmp_path / "tocsin.yaml"
    settings.write_text("routing: {pipelines: pipelines.yaml}\n", encoding="utf-8")
    with closing(
        Application(str(settings), {"TOCSIN_DATABASE_URL": f"sqlite:///{database}"})
    ) as application:
        assert application.replay_rejected(REJECTED) is None
        assert application.store.events(EventFilter()) == []

        pipelines.write_text(TO.format(publisher="store://"), encoding="utf-8")
        assert application.replay_rejected(REJECTED) is None
        (kept,) = application.store.events(EventFilter())
        assert kept.message_id == "m-1"

        pipelines.write_text("sources: [", encoding="utf-8")
        with pytest.raises(ConfigError, match=r"pipelines\.yaml"):
            application.replay_rejected(REJECTED)


def test_a_store_that_is_away_is_told_and_not_waited_for(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert application.replay_rejected(REJECTED) is None

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    another = replace(REJECTED, body=BODY.replace(b"m-1", b"m-2"))
    application.store.create(an_alarm(all_projects=True))
    monkeypatch.setattr(Database, "write", away)
    with pytest.raises(StoreUnavailable, match="what was not taken in stays rejected"):
        application.replay_rejected(another)


def test_a_process_that_listens_replays_on_the_alarms_that_it_follows(
    application: Application, database: Path, tmp_path: Path
) -> None:
    """`POST /v1/rejected-events/replay`, for which all alarms are not loaded once more."""
    with application.store.begin() as transaction:
        # Of now, for the process removes what is old.
        first = replace(REJECTED, received_at=datetime.now(UTC))
        transaction.save_rejected([first, replace(first, rejected_id="r-2", body=b"{")])
    environment = {
        "TOCSIN_DATABASE_URL": f"sqlite:///{database}",
        "TOCSIN_HTTP_PORT": "0",
        "TOCSIN_API_AUTH": "noauth",
        "TOCSIN_LOG_FORMAT": "json",
    }
    with TocsinProcess("run", environment=environment, log_path=tmp_path / "log") as process:
        port = process.wait_for_log("api.listening")["port"]
        process.wait_for_log("http.listening")
        answer = requests.post(
            f"http://127.0.0.1:{port}/v1/rejected-events/replay",
            json={"ids": ["r-1", "r-2"]},
            timeout=30,
        )
        costly = requests.get(f"http://127.0.0.1:{port}/v1/status/costly", timeout=30)
        loads = [line for line in process.log() if line.get("event") == "alarms.loaded"]
    assert answer.status_code == 200, answer.text
    assert answer.json()["taken"] == 1
    assert [one["rejected_id"] for one in answer.json()["left"]] == ["r-2"]
    assert application.store.counts().firings == 1
    assert [one.rejected_id for one in application.store.rejected()] == ["r-2"]
    assert costly.json()["items"]
    assert len(loads) == 1


def test_a_process_that_delivers_keeps_the_secrets_of_its_targets(
    application: Application,
) -> None:
    """Loaded for planning alone, targets would be without: a notifier could not deliver."""
    application.telling.feed(with_secrets=True).load()
    hook = TargetEntry("hook", "gotify", {"server": "https://g.example"}, {"token": "s3cret"})
    application.store.change_entries([Create(hook)])

    assert application.replay_rejected(REJECTED) is None
    assert application.telling.live.target("hook").secrets == {"token": "s3cret"}
