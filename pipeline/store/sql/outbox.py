"""Outbox: deliveries as the notifier takes and settles them.

A claim is a lease: nobody else gets the delivery until it ends, and when a notifier dies its
deliveries become due again by themselves. A delivery that arrived stays delivered, whoever says
so; any other step counts only for who still holds the lease.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, select, update

from pipeline.notification import Attempt, Delivery, Refused
from pipeline.retry import DeadLetter, Done, RetryAt, Step
from pipeline.store import schema
from pipeline.store.documents import storable_key
from pipeline.store.rows import attempt_row, notification_from
from pipeline.store.sql.arrivals import announce_deliveries
from pipeline.store.sql.bulk import among, execute_given, insert_all, insert_new, update_all
from pipeline.store.sql.part import Part

_delivery, _notification = schema.delivery.c, schema.notification.c
_disabled = schema.disabled_action.c

_CLAIMED_COLUMNS = (
    _delivery.delivery_id,
    _delivery.action,
    _delivery.attempts,
    _delivery.attempts_before,
    *schema.notification.c,
)
_SETTLED_COLUMNS = (
    _delivery.delivery_id,
    _delivery.state,
    _delivery.attempts,
    _delivery.due_at,
    _delivery.lease,
    _delivery.finished_at,
    _delivery.last_error,
)

Result: TypeAlias = tuple[Delivery, Attempt, Step]


class SqlOutbox(Part):
    """The notifier's half of `store.base.Outbox`."""

    def claim(
        self, limit: int, lease: timedelta, now: datetime, busy: Collection[str] = ()
    ) -> list[Delivery]:
        """Take due deliveries, oldest first; nobody else gets them until the lease ends.

        Those for a `busy` receiver (`dispatch.receiver(action)`) are left for later, so that one
        that hangs does not stand before the others, however many wait for it (delivery 8).
        """
        return self.exchange((), limit, lease, now, busy)

    def finish(self, results: Sequence[Result]) -> None:
        """Record each attempt, and the step that follows it, in one transaction.

        A step other than Done is ignored for a delivery whose lease another notifier now holds.
        An attempt whose outcome is `Refused(gone=True)` disables its action. What is recorded
        already changes nothing: who lost the answer to a commit says it again.
        """
        self.exchange(results, 0, timedelta(), self._clock())

    def exchange(
        self,
        results: Sequence[Result],
        limit: int,
        lease: timedelta,
        now: datetime,
        busy: Collection[str] = (),
    ) -> list[Delivery]:
        """`finish` these and `claim` those, in one transaction.

        Whatever others may make it wait for comes before the claim, which waits for nobody.
        """
        due = _due(now, busy)
        if not results and not (limit and self._any(due)):
            return []  # the common case, for which nobody has to wait
        with self._database.write() as connection:
            if results:
                _settle(connection, results)
            return self._take(connection, due, limit, now + lease) if limit else []

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """Give back what was claimed and not tried: due again at once."""
        if not deliveries:
            return
        now = self._clock()
        key = (_delivery.delivery_id, _delivery.lease)
        held = sorted((delivery.delivery_id, delivery.lease) for delivery in deliveries)
        with self._database.write() as connection:
            still_held = among(connection, *key) & (_delivery.state == "pending")
            given_back = update(schema.delivery).where(still_held).values(due_at=now, lease="")
            execute_given(connection, given_back, key, held)
            announce_deliveries(connection)

    def _any(self, due: ColumnElement[bool]) -> bool:
        with self._database.read() as connection:
            return bool(connection.scalar(select(exists().where(due))))

    def _take(
        self, connection: Connection, due: ColumnElement[bool], limit: int, until: datetime
    ) -> list[Delivery]:
        """Claim due deliveries until then."""
        rows = _locked_due(connection, due, limit)
        token, key = self._new_id(), _delivery.delivery_id
        claimed = update(schema.delivery).where(among(connection, key))
        leased = claimed.values(due_at=until, lease=token)
        execute_given(connection, leased, [key], [(row.delivery_id,) for row in rows])
        disabled = disabled_reasons(connection, {row.action for row in rows})
        return [delivery_from(row, token, disabled) for row in rows]


def delivery_from(row: Any, lease: str, disabled: dict[str, str]) -> Delivery:
    """The delivery of a row that has `_CLAIMED_COLUMNS`."""
    return Delivery(
        delivery_id=row.delivery_id,
        action=row.action,
        attempts=row.attempts - row.attempts_before,
        notification=notification_from(row),
        lease=lease,
        disabled=disabled.get(storable_key(row.action), ""),
        trace=row.trace_context or "",
    )


def disabled_reasons(connection: Connection, actions: Iterable[str]) -> dict[str, str]:
    """Why those of the actions that take nothing any more do so, by their key."""
    key = _disabled.action_key
    reasons = select(key, _disabled.reason).where(among(connection, key))
    rows = execute_given(connection, reasons, [key], [(action,) for action in set(actions)])
    return {row.action_key: row.reason for row in rows}


def enable(connection: Connection, actions: Iterable[str]) -> None:
    """Let the actions take deliveries again."""
    key = _disabled.action_key
    enabled = delete(schema.disabled_action).where(among(connection, key))
    execute_given(connection, enabled, [key], [(action,) for action in sorted(set(actions))])


def _due(now: datetime, busy: Collection[str]) -> ColumnElement[bool]:
    due = (_delivery.state == "pending") & (_delivery.due_at <= now)
    return due & _delivery.receiver.not_in(sorted(busy)) if busy else due


def _locked_due(
    connection: Connection, due: ColumnElement[bool], limit: int
) -> Sequence[Row[Any]]:
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


def _settle(connection: Connection, results: Sequence[Result]) -> None:
    rows = _locked(connection, {delivery.delivery_id for delivery, _, _ in results})
    recorded = _recorded(connection, rows, results)
    attempts = []
    for delivery, attempt, step in results:
        row = rows.get(delivery.delivery_id)
        if row is None:  # a person has deleted it meanwhile
            continue
        if (delivery.delivery_id, attempt.started_at) in recorded:
            continue
        row["attempts"] += 1
        attempts.append(attempt_row(attempt, row["attempts"]))
        row |= _settled(row, delivery, attempt, step)
    insert_all(connection, schema.attempt, attempts)
    update_all(connection, schema.delivery, "delivery_id", list(rows.values()))
    _disable_gone(connection, results)


def _locked(connection: Connection, delivery_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """How the deliveries now stand, by id; locked in one order by everybody."""
    key = _delivery.delivery_id
    these = select(*_SETTLED_COLUMNS).where(among(connection, key)).order_by(key)
    locking = these.with_for_update(of=schema.delivery)
    ids = [(delivery_id,) for delivery_id in sorted(delivery_ids)]
    rows = execute_given(connection, locking, [key], ids)
    return {row.delivery_id: dict(row._mapping) for row in rows}


def _recorded(
    connection: Connection,
    rows: Mapping[str, Mapping[str, Any]],
    results: Sequence[Result],
) -> set[tuple[str, datetime]]:
    """Delivery and time of the attempts that may be among the results a second time.

    Recording an attempt ends its lease, so those whose lease is still held need no look.
    """
    ended = {
        delivery.delivery_id
        for delivery, _, _ in results
        if delivery.delivery_id in rows and rows[delivery.delivery_id]["lease"] != delivery.lease
    }
    if not ended:
        return set()
    known = schema.attempt.c
    these = select(known.delivery_id, known.started_at).where(among(connection, known.delivery_id))
    found = execute_given(connection, these, [known.delivery_id], [(each,) for each in ended])
    return {(row.delivery_id, row.started_at) for row in found}


def _settled(
    row: dict[str, Any], delivery: Delivery, attempt: Attempt, step: Step
) -> dict[str, Any]:
    """What the step makes of the row; nothing, where it comes from who no longer holds it."""
    ended_at = attempt.started_at + timedelta(seconds=attempt.duration_seconds)
    held = row["state"] == "pending" and row["lease"] == delivery.lease
    match step:
        case Done():
            return _ended("delivered", ended_at, "")
        case RetryAt(at=at) if held:
            reason = getattr(attempt.outcome, "reason", "")
            return {"due_at": at, "lease": "", "last_error": reason}
        case DeadLetter(reason=reason) if held:
            return _ended("dead", ended_at, reason)
    return {}


def _ended(state: str, at: datetime, error: str) -> dict[str, Any]:
    return {
        "state": state,
        "due_at": None,
        "lease": "",
        "finished_at": at,
        "last_error": error,
    }


def _disable_gone(connection: Connection, results: Sequence[Result]) -> None:
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
