"""Status: a look at the whole store, as of one moment."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, func, select

from pipeline.alarms.alarm import State
from pipeline.store import schema
from pipeline.store.base import Backlog, Counts
from pipeline.store.sql.part import Part

_DELIVERY_STATES = ("pending", "delivered", "dead")

COUNTED_UP_TO = 100_000
PUBLICATIONS_COUNTED_UP_TO = 10_000
"""Where counts end that are asked for again and again: what is beyond needs no exact number."""


class SqlStatus(Part):
    """`store.base.Status`."""

    def counts(self) -> Counts:
        """Counts of everything, in one read."""
        delivery, disabled = schema.delivery.c, schema.disabled_action.c
        oldest = select(func.min(delivery.due_at)).where(delivery.state == "pending")
        reasons = select(disabled.action, disabled.reason).order_by(disabled.action)
        with self._database.read() as connection:
            by_state = _count_by(connection, schema.alarm.c.state, [s.value for s in State])
            return Counts(
                alarms=sum(by_state.values()),
                alarms_by_state=by_state,
                firings=_count(connection, schema.firing),
                deliveries_by_state=_count_by(connection, delivery.state, _DELIVERY_STATES),
                oldest_due=connection.scalar(oldest),
                rejected=_count(connection, schema.rejected_event),
                publications=_count(connection, schema.publication),
                disabled_actions={row.action: row.reason for row in connection.execute(reasons)},
                revision=int(connection.scalar(select(schema.revision.c.value)) or 0),
            )

    def backlog(self) -> Backlog:
        """What waits, at a bounded cost: an index is read, and no more of it than is counted."""
        delivery = schema.delivery.c
        pending, dead = delivery.state == "pending", delivery.state == "dead"
        oldest = select(func.min(delivery.due_at)).where(pending)
        publisher = schema.publication.c.publisher
        some = select(publisher).limit(PUBLICATIONS_COUNTED_UP_TO).subquery()
        waiting = select(some.c.publisher, func.count()).group_by(some.c.publisher)
        with self._database.read() as connection:
            return Backlog(
                pending=_count_some(connection, delivery.due_at, pending),
                dead=_count_some(connection, delivery.finished_at, dead),
                rejected=_count_some(connection, schema.rejected_event.c.received_at),
                disabled=_count_some(connection, schema.disabled_action.c.disabled_at),
                unpublished={url: int(n) for url, n in connection.execute(waiting)},
                oldest_due=connection.scalar(oldest),
            )


def _count_some(connection: Connection, indexed: Column[Any], *where: ColumnElement[bool]) -> int:
    """How many rows there are, counted up to the bound; the column is one of an index."""
    some = select(indexed).where(*where).limit(COUNTED_UP_TO).subquery()
    return int(connection.scalar(select(func.count()).select_from(some)) or 0)


def _count(connection: Connection, table: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def _count_by(
    connection: Connection, column: Column[str], values: list[str] | tuple[str, ...]
) -> dict[str, int]:
    found = select(column, func.count()).group_by(column)
    counted = {value: int(count) for value, count in connection.execute(found)}
    return {value: counted.get(value, 0) for value in values}
