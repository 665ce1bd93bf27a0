"""Deliveries and dead letters as people see and treat them (delivery 5, 10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select, update

from pipeline.access import LOCAL, Caller
from pipeline.dispatch import named
from pipeline.errors import InvalidValue, NotFound
from pipeline.notification import OUTCOME_NAMES, Attempt, Delivery, Notification, alarm_kind
from pipeline.store import schema
from pipeline.store.access import Action
from pipeline.store.base import DeliveryRecord
from pipeline.store.rows import attempt_from, notification_from
from pipeline.store.sql.arrivals import announce_deliveries
from pipeline.store.sql.bulk import among, execute_given
from pipeline.store.sql.changes import record_several
from pipeline.store.sql.disabled import disabled_reasons, enable
from pipeline.store.sql.outbox import delivery_from
from pipeline.store.sql.paging import Key, after
from pipeline.store.sql.part import Part

_delivery, _notification, _attempt = (
    schema.delivery.c,
    schema.notification.c,
    schema.attempt.c,
)
_STATES = ("pending", "delivered", "dead", "digested")
_PURGED_AT_A_TIME = 1_000
_NEWEST_FIRST = (
    Key(_delivery.created_at, descending=True),
    Key(_delivery.delivery_id, descending=True),
)

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
        limit: int | None = 100,
        marker: str | None = None,
        by: Caller = LOCAL,
    ) -> list[DeliveryRecord]:
        """Deliveries, newest first. `outcome` (of any attempt) is one of `OUTCOME_NAMES`.

        `receiver` is what `dispatch.receiver` makes of their action; `digest_id` the delivery that
        tells of them. Who is held to projects finds those of their alarms, deleted ones too.
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
        wanted += _seen(by)
        newest = [key.ordered for key in _NEWEST_FIRST]
        statement = _EVERYTHING.where(*wanted).order_by(*newest).limit(limit)
        with self._database.read() as connection:
            beyond = after(connection, _NEWEST_FIRST, marker, "Delivery", *_seen_alone(by))
            if beyond is not None:
                statement = statement.where(beyond)
            return [_record(row) for row in connection.execute(statement)]

    def delivery(
        self, delivery_id: str, by: Caller = LOCAL
    ) -> tuple[DeliveryRecord, Delivery, list[Attempt]]:
        """One delivery, what it tells, and its attempts in order. Raises `NotFound`."""
        statement = _EVERYTHING.where(_delivery.delivery_id == delivery_id, *_seen(by))
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
        by: Caller = LOCAL,
    ) -> int:
        """Make dead letters due again with a fresh schedule, their actions enabled. How many.

        `since` and `until` bound the time at which they died. Same `delivery_id`, so the
        receiver still sees a repeat as one. Who is held to projects or names enables only what
        is theirs.
        """
        chosen = [*_dead(delivery_id, action, since, until), *_seen_alone(by)]
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
            if action and by.sees_all:
                actions.add(action)
            enable(connection, [each for each in actions if _may_enable(by, each)])
            announce_deliveries(connection)
            which, now = delivery_id or action, self._clock()
            record_several(connection, Action.UPDATE, "dead-letter", which, count, by, now)
            return count

    def purge_dead(
        self,
        delivery_id: str | None = None,
        action: str | None = None,
        until: datetime | None = None,
        by: Caller = LOCAL,
    ) -> int:
        """Delete dead letters for good. How many."""
        some = (
            select(_delivery.delivery_id, _delivery.notification_id)
            .where(*_dead(delivery_id, action, None, until), *_seen_alone(by))
            .order_by(_delivery.delivery_id)
            .limit(_PURGED_AT_A_TIME)
            .with_for_update()
        )
        purged = 0
        with self._database.write() as connection:
            while rows := connection.execute(some).all():
                remove_deliveries(connection, rows)
                purged += len(rows)
            which, now = delivery_id or action, self._clock()
            record_several(connection, Action.DELETE, "dead-letter", which, purged, by, now)
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


def _seen(by: Caller) -> list[ColumnElement[bool]]:
    """That a notification is of an alarm of the caller's projects, or was when it was deleted."""
    if by.projects is None:
        return []
    alarm, history, projects = schema.alarm.c, schema.alarm_history.c, sorted(by.projects)
    theirs = select(alarm.alarm_id).where(alarm.project_id.in_(projects))
    deleted = exists().where(
        history.alarm_id == _notification.alarm_id,
        history.type == "deletion",
        history.on_behalf_of.in_(projects),
    )
    there = exists().where(alarm.alarm_id == _notification.alarm_id)
    return [or_(_notification.alarm_id.in_(theirs), and_(deleted, ~there))]


def _seen_alone(by: Caller) -> list[ColumnElement[bool]]:
    """The same of a delivery's notification, where that is not at hand."""
    if by.projects is None:
        return []
    seen = select(_notification.notification_id).where(*_seen(by))
    return [_delivery.notification_id.in_(seen)]


def _may_enable(by: Caller, action: str) -> bool:
    """A target that has a name is for those to enable who may deal with it."""
    name = named(action, "target")
    return name is None or by.reaches(name)


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
        kind=row.kind or alarm_kind(row.previous, row.current),
        digest_id=row.digest_id or "",
        fallback_for=row.fallback_for or "",
    )
