"""Arrivals: word that deliveries were written, by whichever process.

PostgreSQL sends it: every transaction that makes deliveries due says NOTIFY, which is heard when
it is committed. SQLite sends nothing, but tells for a few microseconds whether any other
connection has committed; that is asked twenty times a second.

Word may be lost with a connection, and may come for nothing. Whoever waits looks by itself now
and then all the same. Nothing is read or decided here; called by `pipeline.arrivals`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Select, func, select

from pipeline.store.sql import driven
from pipeline.store.sql.part import Part

_CHANNEL = "tocsin_deliveries"
_LOOK_SECONDS = 0.05


class SqlArrivals(Part):
    """`store.base.ArrivalSource`."""

    @contextmanager
    def arrivals(self) -> Iterator[Callable[[float], bool]]:
        """A connection that listens, and what waits on it; see `store.base.ArrivalSource`."""
        with self._database.own() as connection:
            if self._database.is_sqlite:
                yield _Looking(connection)
            else:
                connection.execute(f"LISTEN {_CHANNEL}")
                yield lambda seconds: _heard(connection, seconds)


def announce_deliveries(connection: Connection) -> None:
    """Let whoever waits for deliveries know, once this transaction is committed."""
    if connection.dialect.name != "sqlite":
        driven.execute(connection, {}, announcement)


def announcement(_on_sqlite: bool) -> Select[Any]:
    """The same as a statement, of PostgreSQL's, for a transaction that has others to make."""
    return select(func.pg_notify(_CHANNEL, ""))


def _heard(connection: Any, seconds: float) -> bool:
    return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))


class _Looking:
    """Whether anybody else has written to the SQLite file since the last look."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._known = self._version()

    def __call__(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while (version := self._version()) == self._known:
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_LOOK_SECONDS, left))
        self._known = version
        return True

    def _version(self) -> int:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)
