"""Which database the store uses, and how long it waits for it.

Values only; `pipeline.store.database` acts on them.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from pipeline.errors import InvalidValue
from pipeline.masking import mask_url
from pipeline.options import option

FIELD = "database.url"
_EXAMPLES = (
    "Use sqlite:////var/lib/tocsin/tocsin.sqlite (four slashes before an absolute path) "
    "or postgresql://user:password@host/database"
)


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """The `database` settings. Where `url` is empty, `pipeline.settings` names a file."""

    url: str = option(
        "",
        "Database that holds alarms, history and deliveries: sqlite:///FILE or "
        "postgresql://USER:PASSWORD@HOST/NAME. Empty: a SQLite file in the user's state directory "
        "(~/.local/state/tocsin/tocsin.sqlite).",
    )
    pool_size: int = option(
        10, "How many connections one process may hold open at a time.", minimum=2
    )
    connect_timeout_seconds: float = option(
        5.0, "How long to wait for a connection to the database.", minimum=1
    )
    statement_timeout_seconds: float = option(
        60.0,
        "How long one statement may take (PostgreSQL), or wait for another writer (SQLite).",
        minimum=1,
    )


def parse_url(text: str) -> URL:
    """The database that `text` names, with the driver that Tocsin uses for it.

    Raises `InvalidValue` for anything but a SQLite file or a PostgreSQL database.
    """
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise InvalidValue(f"this is not a database URL. {_EXAMPLES}", FIELD) from None
    if backend in ("postgresql", "postgres"):
        return _postgresql(url)
    if backend == "sqlite":
        return _sqlite(url)
    raise InvalidValue(f"unknown database '{backend}'. {_EXAMPLES}", FIELD)


def shown(url: URL) -> str:
    """The URL for people: no password, and none of the driver's options."""
    plain = url.set(drivername=url.get_backend_name(), query={})
    return mask_url(plain.render_as_string(hide_password=True))


def _postgresql(url: URL) -> URL:
    if importlib.util.find_spec("psycopg") is None:
        message = "PostgreSQL needs psycopg. Install it with: pip install 'tocsin[postgresql]'"
        raise InvalidValue(message, FIELD)
    return url.set(drivername="postgresql+psycopg")


def _sqlite(url: URL) -> URL:
    if url.database in (None, "", ":memory:") or url.host:
        message = "a SQLite database must be a file, so that every part sees the same one"
        raise InvalidValue(f"{message}. {_EXAMPLES}", FIELD)
    return url.set(drivername="sqlite+pysqlite")
