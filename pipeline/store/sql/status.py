"""Status: a look at the whole store, as of one moment."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, func, select

from pipeline.alarms.alarm import State
from pipeline.store import schema
from pipeline.store.base import Counts
from pipeline.store.sql.part import Part

_DELIVERY_STATES = ("pending", "delivered", "dead")


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


def _count(connection: Connection, table: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def _count_by(
    connection: Connection, column: Column[str], values: list[str] | tuple[str, ...]
) -> dict[str, int]:
    found = select(column, func.count()).group_by(column)
    counted = {value: int(count) for value, count in connection.execute(found)}
    return {value: counted.get(value, 0) for value in values}
