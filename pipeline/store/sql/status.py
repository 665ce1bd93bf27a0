"""Status: a look at the whole store, as of one moment."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, func, select

from pipeline.alarms.alarm import State
from pipeline.store import schema
from pipeline.store.documents import from_json
from pipeline.store.guards import SparedReceiver, spared
from pipeline.store.sql.breakers import all_breakers
from pipeline.store.sql.part import Part
from pipeline.store.sql.revisions import Revision, present_revision
from pipeline.store.status import Backlog, Counts, Fired, ReceiverLoad, Recent

_DELIVERY_STATES = ("pending", "delivered", "dead", "digested")

_TRANSITIONS_LOOKED_AT, _DELIVERIES_LOOKED_AT, _PENDING_LOOKED_AT = 1_000, 2_000, 10_000
_SHOWN = 20

COUNTED_UP_TO = 100_000
PUBLICATIONS_COUNTED_UP_TO = 10_000
"""Where counts end that are asked for again and again: what is beyond needs no exact number."""


class SqlStatus(Part):
    """`store.status.Status`."""

    def ping(self) -> None:
        """Raise `StoreUnavailable` where the database does not answer."""
        with self._database.read() as connection:
            connection.execute(select(1))

    def counts(self) -> Counts:
        """Counts of everything, in one read."""
        delivery, disabled = schema.delivery.c, schema.disabled_action.c
        oldest = select(func.min(delivery.due_at)).where(delivery.state == "pending")
        reasons = select(disabled.action, disabled.reason).order_by(disabled.action)
        unpublished = select(func.sum(schema.publication.c.size))
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
                revision=present_revision(connection, Revision.ALARMS),
                unpublished_events=int(connection.scalar(unpublished) or 0),
                spared=self._spared(connection),
            )

    def _spared(self, connection: Connection) -> list[SparedReceiver]:
        now = self._clock()
        return [spared(who, each, now) for who, each in sorted(all_breakers(connection).items())]

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
                spared=self._spared(connection),
            )

    def recent(self, since: datetime) -> Recent:
        """What happened since then: the last thousand transitions, two thousand deliveries."""
        with self._database.read() as connection:
            lines = _transitions(connection, since)
            breakers = {each.receiver: each.state for each in self._spared(connection)}
            receivers = _receivers(connection, since, breakers)
        newest, oldest = (lines[0].timestamp, lines[-1].timestamp) if lines else (since, since)
        looked_at = len(lines) == _TRANSITIONS_LOOKED_AT
        seconds = ((newest - oldest) if looked_at else (self._clock() - since)).total_seconds()
        return Recent(
            transitions=len(lines),
            transitions_per_second=len(lines) / max(seconds, 0.001),
            fired=_fired(lines),
            receivers=receivers,
        )


def _transitions(connection: Connection, since: datetime) -> Sequence[Any]:
    history, alarm = schema.alarm_history.c, schema.alarm.c
    last = (
        select(history.alarm_id, history.type, history.detail, history.timestamp, history.sequence)
        .order_by(history.sequence.desc())
        .limit(_TRANSITIONS_LOOKED_AT)
        .subquery()
    )
    lines = (
        select(last.c.alarm_id, last.c.detail, last.c.timestamp, alarm.name, alarm.severity)
        .join_from(last, schema.alarm, alarm.alarm_id == last.c.alarm_id, isouter=True)
        .where(last.c.type == "state transition", last.c.timestamp >= since)
        .order_by(last.c.sequence.desc())
    )
    return connection.execute(lines).all()


def _fired(lines: Sequence[Any]) -> list[Fired]:
    times = Tally(line.alarm_id for line in lines)
    first = {line.alarm_id: line for line in reversed(lines)}
    newest = sorted(first.values(), key=lambda line: line.timestamp, reverse=True)
    return [
        Fired(
            alarm_id=line.alarm_id,
            name=line.name or "",
            severity=line.severity or "",
            state=str(from_json(line.detail).get("state", "")),
            last_at=line.timestamp,
            times=times[line.alarm_id],
        )
        for line in newest[:_SHOWN]
    ]


def _receivers(
    connection: Connection, since: datetime, breakers: Mapping[str, str]
) -> list[ReceiverLoad]:
    delivery, attempt = schema.delivery.c, schema.attempt.c
    last = (
        select(delivery.delivery_id, delivery.receiver)
        .where(delivery.created_at >= since)
        .order_by(delivery.created_at.desc())
        .limit(_DELIVERIES_LOOKED_AT)
        .subquery()
    )
    took = attempt.duration_seconds
    made = (
        select(last.c.receiver, attempt.outcome, func.count(), func.sum(took), func.max(took))
        .join_from(last, schema.attempt, attempt.delivery_id == last.c.delivery_id)
        .group_by(last.c.receiver, attempt.outcome)
    )
    pending = delivery.state == "pending"
    some = select(delivery.receiver).where(pending).limit(_PENDING_LOOKED_AT).subquery()
    waits = select(some.c.receiver, func.count()).group_by(some.c.receiver)
    waiting = {who: int(count) for who, count in connection.execute(waits)}
    attempts: dict[str, dict[str, int]] = {who: {} for who in waiting}
    total: Tally[str] = Tally()
    slowest: dict[str, float] = {}
    for who, outcome, count, seconds, longest in connection.execute(made):
        attempts.setdefault(who, {})[outcome] = int(count)
        total[who] += seconds
        slowest[who] = max(slowest.get(who, 0.0), longest)
    loads = [
        ReceiverLoad(
            receiver=who,
            attempts=counts,
            mean_seconds=total[who] / max(sum(counts.values()), 1),
            slowest_seconds=slowest.get(who, 0.0),
            waiting=waiting.get(who, 0),
            breaker=breakers.get(who, ""),
        )
        for who, counts in attempts.items()
    ]
    loads.sort(key=lambda load: (load.waiting, load.mean_seconds), reverse=True)
    return loads[:_SHOWN]


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
