"""Deliveries and dead letters as people see and treat them (delivery 5, 10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update

from pipeline.errors import InvalidValue, NotFound
from pipeline.notification import OUTCOME_NAMES, Attempt, Delivery, Notification
from pipeline.store import schema
from pipeline.store.base import DeliveryRecord
from pipeline.store.rows import attempt_from, notification_from
from pipeline.store.sql.arrivals import announce_deliveries
from pipeline.store.sql.bulk import among, execute_given
from pipeline.store.sql.disabled import disabled_reasons, enable
from pipeline.store.sql.outbox import delivery_from
from pipeline.store.sql.part import Part

_delivery, _notification, _attempt = (
    schema.delivery.c,
    schema.notification.c,
    schema.attempt.c,
)
_STATES = ("pending", "delivered", "dead", "digested")
_PURGED_AT_A_TIME = 1_000

_EVERYTHING = select(
    *schema.delivery.c,
    _notification.alarm_id,
    _notification.alarm_name,
    _notification.severity,
    _notification.previous,
    _notification.current,
    _notification.reason,
    _notification.reason_data,
    _notification.message_id,
    _notification.trace_context,
    _notification.kind,
).join_from(
    schema.delivery,
    schema.notification,
    _notification.notification_id == _delivery.notification_id,
)


class SqlDeliveries(Part):
    """People's half of `store.base.Outbox`."""

    def deliveries(
        self,
        state: str | None = None,
        alarm_id: str | None = None,
        message_id: str | None = None,
        action: str | None = None,
        receiver: str | None = None,
        outcome: str | None = None,
        digest_id: str | None = None,
        limit: int = 100,
    ) -> list[DeliveryRecord]:
        """Deliveries, newest first. `outcome` (of any attempt) is one of `OUTCOME_NAMES`.

        `receiver` is what `dispatch.receiver` makes of their action; `digest_id` the delivery that
        tells of them.
        """
        _check_choice("state", state, _STATES)
        _check_choice("outcome", outcome, OUTCOME_NAMES)
        wanted = _equal(
            (_delivery.state, state),
            (_notification.alarm_id, alarm_id),
            (_notification.message_id, message_id),
            (_delivery.action, action),
            (_delivery.receiver, receiver),
            (_delivery.digest_id, digest_id),
        )
        if outcome is not None:
            of_delivery = _attempt.delivery_id == _delivery.delivery_id
            wanted.append(exists().where(of_delivery, _attempt.outcome == outcome))
        newest = (_delivery.created_at.desc(), _delivery.delivery_id.desc())
        statement = _EVERYTHING.where(*wanted).order_by(*newest).limit(limit)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(statement)]

    def delivery(self, delivery_id: str) -> tuple[DeliveryRecord, Delivery, list[Attempt]]:
        """One delivery, what it tells, and its attempts in order. Raises `NotFound`."""
        statement = _EVERYTHING.where(_delivery.delivery_id == delivery_id)
        of_delivery = select(schema.attempt).where(_attempt.delivery_id == delivery_id)
        with self._database.read() as connection:
            row = connection.execute(statement).first()
            if row is None:
                raise NotFound(f"Delivery {delivery_id} not found")
            disabled = disabled_reasons(connection, [row.action])
            attempts = connection.execute(of_delivery.order_by(_attempt.number)).all()
        told = delivery_from(row, row.lease, disabled)
        return _record(row), told, [attempt_from(row) for row in attempts]

    def told_lately(self, limit: int) -> list[Notification]:
        """What was told last, by the newest so many deliveries."""
        newest = select(_delivery.notification_id).order_by(_delivery.created_at.desc())
        lately = _notification.notification_id.in_(newest.limit(limit))
        with self._database.read() as connection:
            rows = connection.execute(select(schema.notification).where(lately)).all()
        return [notification_from(row) for row in rows]

    def replay_dead(
        self,
        now: datetime,
        delivery_id: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Make dead letters due again with a fresh schedule, their actions enabled. How many.

        `since` and `until` bound the time at which they died. Same `delivery_id`, so the
        receiver still sees a repeat as one.
        """
        chosen = _dead(delivery_id, action, since, until)
        again = {
            "state": "pending",
            "attempts_before": _delivery.attempts,
            "due_at": now,
            "lease": "",
            "finished_at": None,
            "progress": None,
            "in_progress_since": None,
        }
        statement = update(schema.delivery).where(*chosen).values(again)
        with self._database.write() as connection:
            actions = set(connection.scalars(select(_delivery.action).where(*chosen).distinct()))
            count = int(connection.execute(statement).rowcount)
            enable(connection, actions | ({action} if action else set()))
            announce_deliveries(connection)
            return count

    def purge_dead(
        self,
        delivery_id: str | None = None,
        action: str | None = None,
        until: datetime | None = None,
    ) -> int:
        """Delete dead letters for good. How many."""
        some = (
            select(_delivery.delivery_id, _delivery.notification_id)
            .where(*_dead(delivery_id, action, None, until))
            .order_by(_delivery.delivery_id)
            .limit(_PURGED_AT_A_TIME)
            .with_for_update()
        )
        purged = 0
        with self._database.write() as connection:
            while rows := connection.execute(some).all():
                remove_deliveries(connection, rows)
                purged += len(rows)
        return purged


def remove_deliveries(connection: Connection, rows: Sequence[Any]) -> None:
    """Remove deliveries and their attempts, and notifications that no delivery is left of."""
    ids = [(row.delivery_id,) for row in rows]
    for table in (schema.attempt, schema.delivery):
        key = table.c.delivery_id
        execute_given(connection, delete(table).where(among(connection, key)), [key], ids)
    key = _notification.notification_id
    left = exists().where(_delivery.notification_id == key)
    unused = delete(schema.notification).where(among(connection, key), ~left)
    told = sorted({(row.notification_id,) for row in rows})
    execute_given(connection, unused, [key], told)


def _dead(
    delivery_id: str | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
) -> list[ColumnElement[bool]]:
    chosen = [_delivery.state == "dead"]
    chosen += _equal((_delivery.delivery_id, delivery_id), (_delivery.action, action))
    if since is not None:
        chosen.append(_delivery.finished_at >= since)
    if until is not None:
        chosen.append(_delivery.finished_at <= until)
    return chosen


def _equal(*pairs: tuple[ColumnElement[Any], str | None]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in pairs if value is not None]


def _check_choice(name: str, value: str | None, choices: Sequence[str]) -> None:
    if value is not None and value not in choices:
        raise InvalidValue(f"unknown {name} '{value}'. Use one of {', '.join(choices)}", name)


def _record(row: Any) -> DeliveryRecord:
    return DeliveryRecord(
        delivery_id=row.delivery_id,
        notification_id=row.notification_id,
        alarm_id=row.alarm_id,
        alarm_name=row.alarm_name,
        message_id=row.message_id,
        action=row.action,
        state=row.state,
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
        last_error=row.last_error,
        digest_id=row.digest_id or "",
        fallback_for=row.fallback_for or "",
    )
