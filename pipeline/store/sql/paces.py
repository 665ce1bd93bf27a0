"""Paces: where targets stand that are to be told less, and the digests of those that storm.

A target with a rate limit or a storm guard has a row, which is locked while somebody claims for
it: so two notifiers keep to its bounds together, and make one digest (delivery 8, 12). A digest
and what it is of change hands in one transaction: a crash before it leaves all as it was.

Called by `pipeline.store.sql.spared` in its transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal_column, or_, select, update

from pipeline.guards import Pace
from pipeline.guards.digest import DIGEST, MOST_NAMED, Gathered, digest
from pipeline.notification import Notification
from pipeline.store import schema
from pipeline.store.rows import notification_from
from pipeline.store.sql.bulk import insert_new
from pipeline.store.sql.intake import SqlTransaction

_table = schema.receiver_pace
_pace = _table.c
_delivery, _notification = schema.delivery.c, schema.notification.c
_IS_PENDING = _delivery.state == literal_column("'pending'")


def held_pace(connection: Connection, receiver: str) -> Pace:
    """Where a target stands; nobody else claims for it until the transaction ends."""
    row = {"receiver": receiver, "told": 0, "storming": False}
    insert_new(connection, _table, [row], key="receiver")
    statement = select(_table).where(_pace.receiver == receiver).with_for_update()
    found = connection.execute(statement).one()
    return Pace(found.full_at, found.window_from, found.told, found.storming)


def write_pace(connection: Connection, receiver: str, pace: Pace) -> None:
    """Where it stands now."""
    values = {
        "full_at": pace.full_at,
        "window_from": pace.window_from,
        "told": pace.told,
        "storming": pace.storming,
    }
    connection.execute(update(_table).where(_pace.receiver == receiver).values(values))


def due_for(receiver: str, now: datetime) -> ColumnElement[bool]:
    """What is due for one receiver."""
    return _IS_PENDING & (_delivery.receiver == receiver) & (_delivery.due_at <= now)


def is_fresh() -> ColumnElement[bool]:
    """What counts for the storm guard: nobody has tried or claimed it yet, and it is no digest.

    Of a delivery and its notification, joined.
    """
    no_digest = or_(_notification.kind.is_(None), _notification.kind != DIGEST)
    return (_delivery.attempts == 0) & (_delivery.lease == "") & no_digest


def count_fresh(connection: Connection, receiver: str, now: datetime, most: int) -> int:
    """How many are fresh, counted up to a bound."""
    some = (
        select(_delivery.delivery_id)
        .join(schema.notification, _notification.notification_id == _delivery.notification_id)
        .where(due_for(receiver, now), is_fresh())
        .limit(most)
        .subquery()
    )
    return int(connection.scalar(select(func.count()).select_from(some)) or 0)


def combine(
    connection: Connection, receiver: str, now: datetime, new_id: Callable[[], str]
) -> tuple[str, int]:
    """Put a digest in the place of all that is fresh: its delivery's id, and of how many it is."""
    digest_id = new_id()
    told_of = _notification.notification_id == _delivery.notification_id
    fresh = select(_delivery.delivery_id).join(schema.notification, told_of)
    these = fresh.where(due_for(receiver, now), is_fresh()).with_for_update(of=schema.delivery)
    values = {
        "state": "digested",
        "digest_id": digest_id,
        "due_at": None,
        "finished_at": now,
        "last_error": "",
    }
    taken = update(schema.delivery).where(_delivery.delivery_id.in_(these)).values(values)
    count = int(connection.execute(taken).rowcount)
    if count:
        gathered = _gathered(connection, digest_id)
        subject = digest(receiver.removeprefix("target:"), gathered)
        notification = Notification(new_id(), gathered.severity, now, subject)
        ids = iter([digest_id])
        SqlTransaction(connection, lambda: now, lambda: next(ids)).save_notification(
            notification, [_action(connection, digest_id)]
        )
    return digest_id, count


def _gathered(connection: Connection, digest_id: str) -> Gathered:
    """What was combined; the first of it as it is, the rest counted."""
    told_of = _notification.notification_id == _delivery.notification_id
    mine = _delivery.digest_id == digest_id
    made = (func.count(), func.min(_notification.created_at), func.max(_notification.created_at))
    by_severity = (
        select(_notification.severity, *made)
        .join_from(schema.delivery, schema.notification, told_of)
        .where(mine)
        .group_by(_notification.severity)
    )
    first = (
        select(*schema.notification.c)
        .join_from(schema.delivery, schema.notification, told_of)
        .where(mine)
        .order_by(_delivery.created_at, _delivery.delivery_id)
        .limit(MOST_NAMED)
    )
    counted: list[Any] = list(connection.execute(by_severity))
    return Gathered(
        severities={row[0]: int(row[1]) for row in counted},
        since=min(row[2] for row in counted),
        until=max(row[3] for row in counted),
        first=[notification_from(row) for row in connection.execute(first)],
    )


def _action(connection: Connection, digest_id: str) -> str:
    """Of a target that has a name, all deliveries have the same action."""
    some = select(_delivery.action).where(_delivery.digest_id == digest_id).limit(1)
    return str(connection.scalar(some))
