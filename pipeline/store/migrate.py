"""Brings a database's tables up to this program's schema.

Called once by `SqlStore.open`. Alembic is imported only when there is something to do. Several
processes may start at the same moment: the first migrates, the others wait and find it done.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from pipeline.errors import InvalidValue
from pipeline.store.database import Database
from pipeline.store.schema import SCHEMA_VERSION
from pipeline.store.settings import FIELD

_LOCK = 7_296_710_583_226_345_582
"""PostgreSQL's advisory lock of a migration: a number that only Tocsin uses."""


def migrate(database: Database) -> None:
    """Make or upgrade the tables. Raises `InvalidValue` when they are newer than the program."""
    with database.read() as connection:
        if _is_current(connection, database.shown):
            return
    with database.write() as connection:
        if not database.is_sqlite:
            _wait_for_other_migrations(connection)
        if not _is_current(connection, database.shown):
            _run_migrations(connection)


def _is_current(connection: Connection, shown: str) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    found = connection.scalar(text("SELECT version_num FROM alembic_version")) or ""
    if found > SCHEMA_VERSION:
        message = (
            f"the tables in {shown} have version {found}, this program knows them up to "
            f"{SCHEMA_VERSION}: they were made by a newer Tocsin. Upgrade, or use another database"
        )
        raise InvalidValue(message, FIELD)
    return bool(found == SCHEMA_VERSION)


def _wait_for_other_migrations(connection: Connection) -> None:
    connection.execute(text("SET LOCAL statement_timeout = '1h'"))
    connection.execute(text("SET LOCAL lock_timeout = '1h'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _run_migrations(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "pipeline.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
