"""Revisions: the numbers of the changes that people make, by which processes follow.

One row for alarms, one for what people set up by name. Taking the next number locks its row until
the transaction ends, so numbers are committed in their order: who has seen one has seen all
before it.
"""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import Connection, Executable, Integer, bindparam, select, update

from pipeline.store import schema
from pipeline.store.database import Database
from pipeline.store.sql import driven

_id, _value = schema.revision.c.id, schema.revision.c.value
_WHICH = "which"


class Revision(IntEnum):
    """The revisions, by the id of their row."""

    ALARMS = 1
    ROUTING = 2
    COMPOSITES = 3
    """Never counted up: held by who looks at composite alarms (`sql.composites`)."""


def next_revision(connection: Connection, which: Revision) -> int:
    """Take the next revision; until the transaction ends, nobody else takes one."""
    statement = update(schema.revision).where(_id == which).values(value=_value + 1)
    return int(connection.execute(statement.returning(_value)).scalar_one())


def hold_revision(connection: Connection, which: Revision) -> None:
    """Until the transaction ends, nobody else takes or holds it. SQLite has one writer anyway."""
    connection.execute(select(_value).where(_id == which).with_for_update()).scalar_one()


def present_revision(connection: Connection, which: Revision) -> int:
    """The newest revision that was committed."""
    ((value,),) = driven.execute(connection, {_WHICH: int(which)}, _present)
    return int(value)


def is_present(database: Database, which: Revision, revision: int) -> bool:
    """Whether this is the newest revision, as it nearly always is when a process asks."""
    with database.look() as connection:
        return present_revision(connection, which) == revision


def _present(_on_sqlite: bool) -> Executable:
    return select(_value).where(_id == bindparam(_WHICH, type_=Integer()))
