"""Opening a store: its URL, its tables, and several processes that start at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from pipeline.errors import InvalidValue, StoreUnavailable
from pipeline.store import schema
from pipeline.store.database import Database
from pipeline.store.retention import Kept
from pipeline.store.settings import DatabaseSettings, parse_url, shown
from pipeline.store.sql import SqlStore

from builders import NOON, an_alarm, an_event

_SYNCHRONOUS_COMMIT = "SELECT current_setting('synchronous_commit')"
OPEN = """
import sys
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
sys.stdin.readline()
with SqlStore.open(DatabaseSettings(url=sys.argv[1])) as store:
    print(store.counts().revision, 'alembic' in sys.modules)
"""


def test_migrations_make_the_tables_that_the_program_knows(
    store: SqlStore, database_url: str
) -> None:
    engine = create_engine(parse_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, schema.metadata)
    engine.dispose()

    assert differences == []


def test_indexes_cover_what_the_program_says_they_cover(postgresql_url: str) -> None:
    """Alembic does not compare an index's condition and kind, nor a table's options."""
    SqlStore.open(DatabaseSettings(url=postgresql_url)).close()

    engine = create_engine(parse_url(postgresql_url))
    with engine.begin() as connection:
        migrated = _indexes_and_columns(connection)
        schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)
        assert _indexes_and_columns(connection) == migrated
    engine.dispose()


def _indexes_and_columns(connection: Connection) -> set[tuple[str, ...]]:
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    columns = (
        "SELECT table_name, column_name, data_type, collation_name, is_nullable "
        "FROM information_schema.columns WHERE table_schema = 'public'"
    )
    options = "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL"
    rows = [
        row for query in (indexes, columns, options) for row in connection.execute(text(query))
    ]
    return {tuple(map(str, row)) for row in rows if "alembic" not in str(row[0])}


def test_program_knows_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", "pipeline.store:migrations")

    assert ScriptDirectory.from_config(config).get_current_head() == schema.SCHEMA_VERSION


def test_what_is_stored_is_there_when_it_is_opened_again(database_url: str) -> None:
    settings = DatabaseSettings(url=database_url)
    with SqlStore.open(settings) as store:
        alarm = store.create(an_alarm())

    with SqlStore.open(settings) as store:
        assert store.get(alarm.alarm_id) == alarm


def test_processes_that_start_at_once_share_one_migration(database_url: str) -> None:
    processes = [_opening(database_url) for _ in range(5)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in processes]

    assert [process.returncode for process in processes] == [0] * 5, answers
    assert {answer.split()[0] for answer, _ in answers} == {"0"}


def test_up_to_date_database_costs_no_import_of_alembic(database_url: str) -> None:
    SqlStore.open(DatabaseSettings(url=database_url)).close()

    answer, error = _opening(database_url).communicate("go\n", timeout=60)

    assert answer.split() == ["0", "False"], error


def _opening(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OPEN, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_database_of_a_newer_program_is_left_alone(database_url: str) -> None:
    SqlStore.open(DatabaseSettings(url=database_url)).close()
    engine = create_engine(parse_url(database_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(InvalidValue, match="have version 9999, this program knows them up to"):
        SqlStore.open(DatabaseSettings(url=database_url))


def test_sqlite_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "tocsin.sqlite"

    with SqlStore.open(DatabaseSettings(url=f"sqlite:///{path}")) as store:
        store.create(an_alarm())
        modes = [os.stat(file).st_mode & 0o777 for file in path.parent.iterdir()]

    assert set(modes) == {0o600}


def test_sqlite_keeps_a_commit_on_disk_before_it_returns(sqlite_url: str) -> None:
    """Delivery 1: an event is acknowledged after the commit, and then may not be lost."""
    with (
        SqlStore.open(DatabaseSettings(url=sqlite_url)) as store,
        store._database.write() as connection,
    ):
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2


def test_only_what_may_be_lost_with_the_machine_does_not_wait_for_the_disk(
    database_url: str,
) -> None:
    """A claim that is lost is made again; everything else is kept (delivery 1)."""
    setting = "PRAGMA synchronous" if database_url.startswith("sqlite") else _SYNCHRONOUS_COMMIT
    database = Database.connect(DatabaseSettings(url=database_url))
    with database.write_at_once() as connection:
        assert connection.scalar(text(setting)) in (1, "off")
    with database.write() as connection:
        assert connection.scalar(text(setting)) in (2, "on")
    database.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "this is not a database URL. Use sqlite:////var/lib/"),
        ("tocsin.sqlite", "this is not a database URL"),
        ("mysql://root@localhost/tocsin", "unknown database 'mysql'. Use sqlite:////var/lib/"),
        ("sqlite://", "a SQLite database must be a file"),
        ("sqlite:///:memory:", "a SQLite database must be a file"),
        ("sqlite://tocsin.sqlite", "a SQLite database must be a file"),
        ("postgresql://user@host:port/name", "this is not a database URL"),
    ],
)
def test_url_that_cannot_be_used_is_refused(url: str, message: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        SqlStore.open(DatabaseSettings(url=url))

    assert str(raised.value).startswith(message)
    assert raised.value.field == "database.url"


def test_shown_url_holds_no_secrets() -> None:
    url = parse_url("postgresql://tocsin:s3cret@db.example:5433/tocsin?password=s3cret&sslmode=a")

    assert shown(url) == "postgresql://tocsin:***@db.example:5433/tocsin"
    assert parse_url("postgres://host/name").drivername == "postgresql+psycopg"


def test_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look like one " * 100)

    with pytest.raises(StoreUnavailable, match="file is not a database"):
        SqlStore.open(DatabaseSettings(url=f"sqlite:///{path}"))


def test_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailable, match=r"(Not a directory|File exists)"):
        SqlStore.open(DatabaseSettings(url=f"sqlite:///{tmp_path}/file/tocsin.sqlite"))


def test_tables_of_an_older_program_are_upgraded_with_what_is_in_them(database_url: str) -> None:
    settings = DatabaseSettings(url=database_url)
    engine = create_engine(parse_url(database_url))
    config = Config()
    config.set_main_option("script_location", "pipeline.store:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO deleted_alarm VALUES ('a-1', 7)"))
        connection.execute(text("UPDATE revision SET value = 7"))
        events = json.dumps([(event := an_event(host="a")).as_dict()])
        connection.execute(
            text(
                "INSERT INTO publication"
                " (publication_id, publisher, events, error, attempts, due_at)"
                " VALUES ('p-1', 'log://', :events, 'full', 3, '2026-01-02T12:00:00.000000Z')"
            ),
            {"events": events},
        )
    engine.dispose()

    with SqlStore.open(settings) as store:
        assert list(store.changes_since(0).deleted) == ["a-1"]
        assert store.counts().unpublished_events == 1
        (kept,) = store.claim_publications(9, timedelta(1), datetime.now(UTC), "log://")
        assert (kept.events, kept.attempts, kept.created_at) == ((event,), 3, NOON)
        assert store.prunable(Kept.DELETED_ALARMS, datetime.now(UTC) - timedelta(hours=1)) == 0
        assert store.prunable(Kept.DELETED_ALARMS, datetime.now(UTC) + timedelta(hours=1)) == 1
