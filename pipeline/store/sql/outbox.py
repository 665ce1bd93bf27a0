"""Outbox: deliveries as the notifier takes and settles them.

A claim is a lease: nobody else gets the delivery until it ends, and when a notifier dies its
deliveries become due again by themselves. A delivery that arrived stays delivered, whoever says
so; any other step counts only for who still holds the lease.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update

from pipeline.notification import Attempt, Delivery, Refused
from pipeline.retry import DeadLetter, Done, RetryAt, Step
from pipeline.store import schema
from pipeline.store.documents import storable_key
from pipeline.store.rows import attempt_row, notification_from
from pipeline.store.sql.part import Part, insert_new, portions

_delivery, _notification = schema.delivery.c, schema.notification.c
_disabled = schema.disabled_action.c

_CLAIMED_COLUMNS = (
    _delivery.delivery_id,
    _delivery.action,
    _delivery.attempts,
    _delivery.attempts_before,
    *schema.notification.c,
)
_SETTLE = (
    update(schema.delivery)
    .where(_delivery.delivery_id == bindparam("of_delivery"))
    .values(
        {
            name: bindparam(f"to_{name}")
            for name in ("state", "attempts", "due_at", "lease", "finished_at", "last_error")
        }
    )
)


class SqlOutbox(Part):
    """The notifier's half of `store.base.Outbox`."""

    def claim(
        self, limit: int, lease: timedelta, now: datetime, busy: Collection[str] = ()
    ) -> list[Delivery]:
        """Take due deliveries, oldest first; nobody else gets them until the lease ends.

        Those for a `busy` receiver (`dispatch.receiver(action)`) are left for later, so that one
        that hangs does not stand before the others, however many wait for it (delivery 8).
        """
        due = (_delivery.state == "pending") & (_delivery.due_at <= now)
        if busy:
            due &= _delivery.receiver.not_in(sorted(busy))
        with self._database.read() as connection:
            if not connection.scalar(select(exists().where(due))):
                return []  # the common case, for which nobody has to wait
        with self._database.write() as connection:
            rows = _take(connection, due, limit)
            token = self._new_id()
            for ids in portions([row.delivery_id for row in rows]):
                chosen = update(schema.delivery).where(_delivery.delivery_id.in_(ids))
                connection.execute(chosen.values(due_at=now + lease, lease=token))
            disabled = disabled_reasons(connection, {row.action for row in rows})
        return [delivery_from(row, token, disabled) for row in rows]

    def finish(self, results: Sequence[tuple[Delivery, Attempt, Step]]) -> None:
        """Record each attempt, and the step that follows it, in one transaction.

        A step other than Done is ignored for a delivery whose lease another notifier now holds.
        An attempt whose outcome is `Refused(gone=True)` disables its action.
        """
        if not results:
            return
        with self._database.write() as connection:
            rows = _locked(connection, {delivery.delivery_id for delivery, _, _ in results})
            attempts = []
            for delivery, attempt, step in results:
                row = rows.get(delivery.delivery_id)
                if row is None:  # a person has deleted it meanwhile
                    continue
                row["to_attempts"] += 1
                attempts.append(attempt_row(attempt, row["to_attempts"]))
                row |= _settled(row, delivery, attempt, step)
            if attempts:
                connection.execute(insert(schema.attempt), attempts)
                connection.execute(_SETTLE, list(rows.values()))
            _disable_gone(connection, results)

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """Give back what was claimed and not tried: due again at once."""
        by_lease: dict[str, list[str]] = {}
        for delivery in deliveries:
            by_lease.setdefault(delivery.lease, []).append(delivery.delivery_id)
        if not by_lease:
            return
        now = self._clock()
        with self._database.write() as connection:
            for lease, delivery_ids in by_lease.items():
                held = (_delivery.state == "pending") & (_delivery.lease == lease)
                for ids in portions(sorted(delivery_ids)):
                    chosen = update(schema.delivery).where(_delivery.delivery_id.in_(ids), held)
                    connection.execute(chosen.values(due_at=now, lease=""))


def delivery_from(row: Any, lease: str, disabled: dict[str, str]) -> Delivery:
    """The delivery of a row that has `_CLAIMED_COLUMNS`."""
    return Delivery(
        delivery_id=row.delivery_id,
        action=row.action,
        attempts=row.attempts - row.attempts_before,
        notification=notification_from(row),
        lease=lease,
        disabled=disabled.get(storable_key(row.action), ""),
    )


def disabled_reasons(connection: Connection, actions: Iterable[str]) -> dict[str, str]:
    """Why those of the actions that take nothing any more do so, by their key."""
    reasons = {}
    for keys in portions(sorted({storable_key(action) for action in actions})):
        columns = select(_disabled.action_key, _disabled.reason)
        for row in connection.execute(columns.where(_disabled.action_key.in_(keys))):
            reasons[row.action_key] = row.reason
    return reasons


def enable(connection: Connection, actions: Iterable[str]) -> None:
    """Let the actions take deliveries again."""
    for keys in portions(sorted({storable_key(action) for action in actions})):
        disabled = delete(schema.disabled_action).where(_disabled.action_key.in_(keys))
        connection.execute(disabled)


def _take(connection: Connection, due: Any, limit: int) -> Sequence[Any]:
    """Due deliveries with what they tell, locked; those that others are claiming are left out."""
    told = _notification.notification_id == _delivery.notification_id
    statement = (
        select(*_CLAIMED_COLUMNS)
        .join_from(schema.delivery, schema.notification, told)
        .where(due)
        .order_by(_delivery.due_at, _delivery.delivery_id)
        .limit(limit)
        .with_for_update(of=schema.delivery, skip_locked=True)
    )
    return connection.execute(statement).all()


def _locked(connection: Connection, delivery_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """How the deliveries now stand, as parameters of `_SETTLE`; locked in one order by all."""
    rows = {}
    for ids in portions(sorted(delivery_ids)):
        statement = select(schema.delivery).where(_delivery.delivery_id.in_(ids))
        locking = statement.order_by(_delivery.delivery_id).with_for_update()
        for row in connection.execute(locking):
            rows[row.delivery_id] = {
                "of_delivery": row.delivery_id,
                "to_state": row.state,
                "to_attempts": row.attempts,
                "to_due_at": row.due_at,
                "to_lease": row.lease,
                "to_finished_at": row.finished_at,
                "to_last_error": row.last_error,
            }
    return rows


def _settled(
    row: dict[str, Any], delivery: Delivery, attempt: Attempt, step: Step
) -> dict[str, Any]:
    """What the step makes of the row; nothing, where it comes from who no longer holds it."""
    ended_at = attempt.started_at + timedelta(seconds=attempt.duration_seconds)
    held = row["to_state"] == "pending" and row["to_lease"] == delivery.lease
    match step:
        case Done():
            return _ended("delivered", ended_at, "")
        case RetryAt(at=at) if held:
            reason = getattr(attempt.outcome, "reason", "")
            return {"to_due_at": at, "to_lease": "", "to_last_error": reason}
        case DeadLetter(reason=reason) if held:
            return _ended("dead", ended_at, reason)
    return {}


def _ended(state: str, at: datetime, error: str) -> dict[str, Any]:
    return {
        "to_state": state,
        "to_due_at": None,
        "to_lease": "",
        "to_finished_at": at,
        "to_last_error": error,
    }


def _disable_gone(
    connection: Connection, results: Sequence[tuple[Delivery, Attempt, Step]]
) -> None:
    rows = {}
    for delivery, attempt, _ in results:
        if isinstance(attempt.outcome, Refused) and attempt.outcome.gone:
            rows[storable_key(delivery.action)] = {
                "action_key": delivery.action,
                "action": delivery.action,
                "reason": attempt.outcome.reason,
                "disabled_at": attempt.started_at,
            }
    insert_new(connection, schema.disabled_action, list(rows.values()), key="action_key")
