"""Database: connections, transactions, and what their failures mean.

The only module that knows how SQLite and PostgreSQL are connected to. Every other module of the
store asks it for `read()`, `look()`, `write()` or `stream()` and speaks SQLAlchemy Core in the
block.

What nothing lost means here (delivery 1): a commit has reached the disk when it returns, unless
the caller says that it need not. On SQLite that is WAL with synchronous=FULL, one fsync per batch;
on PostgreSQL it is the server's `synchronous_commit`, which is on unless its owner says otherwise.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pipeline.errors import StoreUnavailable
from pipeline.store.settings import DatabaseSettings, parse_url, shown

_USED_AT = "tocsin_used_at"
_FRESH_SECONDS = 1.0
_ROWS_AT_A_TIME = 1_000

_READ = ("BEGIN",)
_WRITE = ("PRAGMA synchronous = FULL", "BEGIN IMMEDIATE")
_WRITE_AT_ONCE = ("PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE")
"""How SQLite's transactions begin."""

_PASSING_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""What is wrong with the file or its disk, not with what was asked."""

_PASSING_SQLSTATES = ("08", "25006", "40", "53", "55P03", "57", "58")
"""PostgreSQL's codes, by prefix: connection, read-only standby, serialization and deadlock,
resources, lock timeout, shutdown and cancel, system."""


class Database:
    """One database and this process's connections to it. Safe to use from many threads."""

    def __init__(self, engine: Engine, hasty: Engine, wait_seconds: float) -> None:
        self.shown = shown(engine.url)
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._engine = engine
        self._wait_seconds = wait_seconds
        driver: Any = engine.dialect.loaded_dbapi
        self._driver_error: type[Exception] = driver.Error
        # SQLite has one writer at a time and lets the others poll; within a process they queue.
        self._writer = threading.Lock()
        self._reading, self._hasty = engine, hasty
        if not self.is_sqlite:
            self._reading = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @classmethod
    def connect(cls, settings: DatabaseSettings) -> Database:
        """Connections as the settings say; none is made yet.

        Raises `InvalidValue` for a URL that cannot be used, `StoreUnavailable` for a SQLite file
        that cannot be made.
        """
        url = parse_url(settings.url)
        if url.get_backend_name() == "sqlite":
            engine = hasty = _sqlite_engine(url, settings)
        else:
            engine, hasty = _postgresql_engine(url, settings), _hasty_engine(url, settings)
        return cls(engine, hasty, settings.statement_timeout_seconds)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads: all of it sees the database as of one moment."""
        with self._translated(), self._reading.begin() as connection:
            self._begin(connection, _READ)
            yield connection

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """For a single statement that reads: it sees one moment by itself, which spares
        PostgreSQL two journeys."""
        # SQLite begins and ends a transaction for a statement by itself.
        with self._translated(), self._hasty.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: committed at the end of the block, undone if it raises."""
        with self._translated(), self._turn(), self._engine.begin() as connection:
            self._begin(connection, _WRITE)
            yield connection

    @contextmanager
    def write_at_once(self) -> Iterator[Connection]:
        """For what need not last and has to be quick: it does not wait for the disk. Everybody
        sees it at once, but when the machine of the database fails in the next moment, it never
        was.

        On PostgreSQL each statement is a transaction of its own, which spares it two journeys.
        """
        with self._translated(), self._turn(), self._hasty.begin() as connection:
            self._begin(connection, _WRITE_AT_ONCE)
            yield connection

    @contextmanager
    def stream(self) -> Iterator[Connection]:
        """Like `read`, for results that are too large for memory."""
        options = {"yield_per": _ROWS_AT_A_TIME}
        with self._translated(), self._reading.execution_options(**options).begin() as connection:
            self._begin(connection, _READ)
            yield connection

    @contextmanager
    def own(self) -> Iterator[Any]:
        """The driver's own connection, outside of the pool and of any transaction, for as long as
        the block takes: for what SQLAlchemy has no words for."""
        with self._translated(), self._engine.connect() as connection:
            driven: Any = connection.connection.driver_connection
            connection.detach()
            if not self.is_sqlite:
                driven.autocommit = True
            yield driven

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()
        self._hasty.dispose()

    def _begin(self, connection: Connection, statements: Sequence[str]) -> None:
        """Begin SQLite's transaction; psycopg begins PostgreSQL's by itself."""
        if self.is_sqlite:
            driven: Any = connection.connection.driver_connection
            for statement in statements:
                driven.execute(statement)

    def _turn(self) -> AbstractContextManager[None]:
        return self._queued() if self.is_sqlite else nullcontext()

    @contextmanager
    def _queued(self) -> Iterator[None]:
        if not self._writer.acquire(timeout=self._wait_seconds):
            raise StoreUnavailable(f"{self.shown}: waited too long for another writer")
        try:
            yield
        finally:
            self._writer.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what a database says when it is away, or gives up, into `StoreUnavailable`."""
        try:
            yield
        except PoolTimeout as error:
            message = "all connections are in use; raise database.pool_size"
            raise StoreUnavailable(f"{self.shown}: {message}") from error
        except DBAPIError as error:
            if not _passing(error):
                raise
            raise StoreUnavailable(f"{self.shown}: {_reason(error.orig)}") from error
        except self._driver_error as error:  # lent by `own`, or of a transaction's beginning
            raise StoreUnavailable(f"{self.shown}: {_reason(error)}") from error


_MENDED_BY = (
    ('database "', "does not exist", "Create it (createdb), or correct database.url."),
    ('role "', "does not exist", "Create the user (createuser), or correct database.url."),
    ("authentication failed", "", "Correct user and password in database.url."),
    ("no password supplied", "", "Give a password in database.url, or in ~/.pgpass."),
    ("refused", "", "Start PostgreSQL there, or correct host and port in database.url."),
    ("resolve host", "", "Correct the host in database.url."),
    ("timeout expired", "", "Correct database.url, or let the network through to it."),
    ("not a database", "", "Name another file in database.url."),
    ("disk is full", "", "Make room."),
)
"""What is heard of a database that cannot be had (both texts), and what to do about it."""


def _reason(error: BaseException | None) -> str:
    """The first line of what the driver says, and how to mend what operators meet most."""
    said = str(error).strip().split("\n")[0]
    for text, other, mend in _MENDED_BY:
        if text in said and other in said:
            return f"{said.rstrip('.')}. {mend}"
    return said


def _passing(error: DBAPIError) -> bool:
    """Whether the failure is of the moment, so that the same again may work."""
    cause = error.orig
    if error.connection_invalidated:
        return True
    if isinstance(cause, sqlite3.Error):
        return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in _PASSING_SQLITE
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate is None:  # psycopg itself: no connection, or it was lost
        return type(cause).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
    return str(sqlstate).startswith(_PASSING_SQLSTATES)


# --- SQLite ----------------------------------------------------------------------------------


def _sqlite_engine(url: URL, settings: DatabaseSettings) -> Engine:
    _make_file(Path(str(url.database)), shown(url))
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.statement_timeout_seconds,
        connect_args={"timeout": settings.statement_timeout_seconds},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _make_file(path: Path, name: str) -> None:
    """Make the file for its owner alone: actions and rejected events may hold secrets."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        message = f"{error.strerror or error}. Name a file in database.url that can be made."
        raise StoreUnavailable(f"{name}: {message}") from error


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions are begun above, not by the driver
    _use_wal(connection)


def _use_wal(connection: sqlite3.Connection) -> None:
    """WAL lets readers and the writer work side by side. The file remembers it.

    SQLite does not wait for the other connections that a new file may have at this moment.
    """
    (milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
    deadline = time.monotonic() + milliseconds / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


# --- PostgreSQL ------------------------------------------------------------------------------


def _postgresql_engine(
    url: URL,
    settings: DatabaseSettings,
    further: Mapping[str, str] = MappingProxyType({}),
    **how: Any,
) -> Engine:
    """Connections that have `further` among their settings, for an engine that is made so."""
    defaults = {
        "connect_timeout": str(max(2, round(settings.connect_timeout_seconds))),
        "application_name": "tocsin",
        # A server that is gone without a word is noticed within half a minute.
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "30000",
    }
    engine = create_engine(
        url.set(query={**defaults, **url.query}),
        hide_parameters=True,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.statement_timeout_seconds,
        # The connection that was used last knows the statements, and has them in its memory.
        pool_use_lifo=True,
        **how,
    )
    milliseconds = round(settings.statement_timeout_seconds * 1000)
    timeouts = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    chosen = {
        **dict.fromkeys(timeouts, str(milliseconds)),
        "timezone": "'UTC'",
        # A plan that was made without the keys may read a whole table for one of them.
        "plan_cache_mode": "force_custom_plan",
        **further,
    }

    def prepare(connection: Any, record: Any) -> None:
        before, connection.autocommit = connection.autocommit, True
        for name, value in chosen.items():
            connection.execute(f"SET {name} = {value}")
        connection.autocommit = before
        record.info[_USED_AT] = time.monotonic()

    event.listen(engine, "connect", prepare)
    _ping_the_rested(engine)
    return engine


def _hasty_engine(url: URL, settings: DatabaseSettings) -> Engine:
    # Said to the engine, as said of a connection it would be set, and reset, at each use.
    further = {"synchronous_commit": "off"}
    return _postgresql_engine(url, settings, further, isolation_level="AUTOCOMMIT")


def _ping_the_rested(engine: Engine) -> None:
    """Make sure of a connection that has rested: it may have been lost meanwhile. One that was
    just used is lost so seldom that its next transaction may find it out."""

    def rest(_connection: Any, record: Any) -> None:
        record.info[_USED_AT] = time.monotonic()

    def ping(connection: Any, record: Any, _lent: Any) -> None:
        if time.monotonic() - record.info[_USED_AT] < _FRESH_SECONDS:
            return
        dialect: Any = engine.dialect
        try:
            alive = dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise DisconnectionError(str(error)) from error
        if not alive:
            raise DisconnectionError("it was lost while it rested")

    event.listen(engine, "checkin", rest)
    event.listen(engine, "checkout", ping)
