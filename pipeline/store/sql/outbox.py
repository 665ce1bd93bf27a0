"""Outbox: deliveries as the notifier takes and settles them.

A claim is a lease: nobody else gets the delivery until it ends, and when a notifier dies its
deliveries become due again by themselves. A delivery that arrived stays delivered, whoever says
so; any other step counts only for who still holds the lease.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Text,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)

from pipeline.notification import Attempt, Delivery, InProgress, Refused
from pipeline.retry import DeadLetter, Done, LookAgainAt, RetryAt, Step
from pipeline.store import schema
from pipeline.store.documents import storable_key
from pipeline.store.rows import attempt_row, notification_from, progress_from, progress_text
from pipeline.store.sql import driven
from pipeline.store.sql.arrivals import announce_deliveries
from pipeline.store.sql.bulk import (
    among,
    among_given,
    execute_given,
    given_keys,
    insert_all,
    insert_new,
    select_given,
    update_all,
)
from pipeline.store.sql.part import Part
from pipeline.store.types import instant_text

_delivery, _notification = schema.delivery.c, schema.notification.c
_disabled = schema.disabled_action.c

_DELIVERY_COLUMNS = (
    _delivery.delivery_id,
    _delivery.action,
    _delivery.attempts,
    _delivery.attempts_before,
    _delivery.progress,
    _delivery.in_progress_since,
    _delivery.guarded,
)
_CLAIMED_COLUMNS = (*_DELIVERY_COLUMNS, *schema.notification.c)
_HELD_COLUMNS = _delivery.delivery_id, _delivery.state, _delivery.attempts, _delivery.lease
_HELD_NAMES = tuple(str(column.name) for column in _HELD_COLUMNS)

_TAKEN_NAMES = [*(str(column.name) for column in _CLAIMED_COLUMNS), "any_disabled"]
_KEY, _RECEIVER = (_delivery.delivery_id,), (_delivery.receiver,)
# Spelled out, not a parameter: so that SQLite knows that the index on what is pending will do.
_IS_PENDING = _delivery.state == literal_column("'pending'")
_NOW, _UNTIL, _TOKEN, _LIMIT = "now", "until", "token", "most"

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
        if not (limit and self._any_due(now, busy)):
            return []  # the common case, for which nobody has to wait
        with self._database.write_at_once() as connection:
            return self._take(connection, limit, lease, now, busy)

    def finish(self, results: Sequence[Result]) -> None:
        """Record each attempt, and the step that follows it, in one transaction.

        A step other than Done is ignored for a delivery whose lease another notifier now holds.
        An attempt whose outcome is `Refused(gone=True)` disables its action. What is recorded
        already changes nothing: who lost the answer to a commit says it again.
        """
        if not results:
            return
        with self._database.write() as connection:
            _settle(connection, results)

    def next_due(self, after: datetime) -> datetime | None:
        """When the first delivery that is due after then will be, None if there is none."""
        with self._database.read() as connection:
            given = {_NOW: instant_text(after)}
            ((moment,),) = driven.execute(connection, given, _first_due_after)
        found: datetime | None = moment
        return found

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

    def _any_due(self, now: datetime, busy: Collection[str]) -> bool:
        """Whether it is worth to wait for the turn to write; where nobody waits, it always is."""
        if not self._database.is_sqlite:
            return True
        with self._database.read() as connection:
            return bool(driven.execute(connection, _due_given(connection, now, busy), _any_due))

    def _take(
        self,
        connection: Connection,
        limit: int,
        lease: timedelta,
        now: datetime,
        busy: Collection[str],
    ) -> list[Delivery]:
        """Claim due deliveries; those that others are claiming are left out.

        A claim need not outlive the database's machine: what is lost of it is due again.
        """
        token = self._new_id()
        given = {
            **_due_given(connection, now, busy),
            _LIMIT: limit,
            _UNTIL: instant_text(now + lease),
            _TOKEN: token,
        }
        found = self._leased(connection, given)
        rows = [SimpleNamespace(**dict(zip(_TAKEN_NAMES, row, strict=True))) for row in found]
        disabled: dict[str, str] = {}
        if rows and rows[0].any_disabled:
            disabled = disabled_reasons(connection, {row.action for row in rows})
        return [delivery_from(row, token, disabled) for row in rows]

    def _leased(self, connection: Connection, given: dict[str, Any]) -> list[Sequence[Any]]:
        """What is due, leased from now on: in one journey to the database, where it is one."""
        if not self._database.is_sqlite:
            return driven.execute(connection, given, _lease_due)
        wanted = {name: given[name] for name in given if name not in (_UNTIL, _TOKEN)}
        found = driven.execute(connection, wanted, _all_due)
        if found:
            keys = given_keys(connection, _KEY, [(row[0],) for row in found])
            until = {_UNTIL: given[_UNTIL], _TOKEN: given[_TOKEN]}
            driven.execute(connection, {**keys, **until}, _lease_these)
        return found


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
        progress=progress_from(row.progress),
        in_progress_since=row.in_progress_since,
        guarded=bool(row.guarded),
    )


def disabled_reasons(connection: Connection, actions: Iterable[str]) -> dict[str, str]:
    """Why those of the actions that take nothing any more do so, by their key."""
    key = _disabled.action_key
    rows = select_given(connection, (key, _disabled.reason), (key,), [(a,) for a in set(actions)])
    return {row[0]: row[1] for row in rows}


def enable(connection: Connection, actions: Iterable[str]) -> None:
    """Let the actions take deliveries again."""
    key = _disabled.action_key
    enabled = delete(schema.disabled_action).where(among(connection, key))
    execute_given(connection, enabled, [key], [(action,) for action in sorted(set(actions))])


def _due_given(connection: Connection, now: datetime, busy: Collection[str]) -> dict[str, Any]:
    keys = given_keys(connection, _RECEIVER, [(who,) for who in sorted(busy)])
    return {**keys, _NOW: instant_text(now)}


def _due(on_sqlite: bool) -> ColumnElement[bool]:
    now = bindparam(_NOW, type_=_delivery.due_at.type)
    return _IS_PENDING & (_delivery.due_at <= now) & ~among_given(on_sqlite, _RECEIVER)


def _any_due(on_sqlite: bool) -> Executable:
    return select(_delivery.delivery_id).where(_due(on_sqlite)).limit(1)


def _first_due_after(on_sqlite: bool) -> Executable:
    now = bindparam(_NOW, type_=_delivery.due_at.type)
    return select(func.min(_delivery.due_at)).where(_IS_PENDING, _delivery.due_at > now)


_ANY_DISABLED = exists(select(_disabled.action_key)).label("any_disabled")


def _all_due(on_sqlite: bool) -> Executable:
    """Due deliveries with what they tell, oldest first: on SQLite, where nobody else writes."""
    told = _notification.notification_id == _delivery.notification_id
    return (
        select(*_CLAIMED_COLUMNS, _ANY_DISABLED)
        .join_from(schema.delivery, schema.notification, told)
        .where(_due(on_sqlite))
        .order_by(_delivery.due_at, _delivery.delivery_id)
        .limit(bindparam(_LIMIT, type_=Integer()))
    )


def _lease_these(on_sqlite: bool) -> Executable:
    return update(schema.delivery).where(among_given(on_sqlite, _KEY)).values(_lease_values())


def _lease_due(on_sqlite: bool) -> Executable:
    """Lease what is due and give what it tells, oldest first; what others hold is passed over."""
    due = (
        select(_delivery.delivery_id, _delivery.due_at)
        .where(_due(on_sqlite))
        .order_by(_delivery.due_at, _delivery.delivery_id)
        .limit(bindparam(_LIMIT, type_=Integer()))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    leased = (
        update(schema.delivery)
        .where(_delivery.delivery_id == due.c.delivery_id)
        .values(_lease_values())
        .returning(*_DELIVERY_COLUMNS, _delivery.notification_id, due.c.due_at.label("was_due"))
        .cte("leased")
    )
    columns = [leased.c[column.name] for column in _DELIVERY_COLUMNS]
    return (
        select(*columns, *schema.notification.c, _ANY_DISABLED)
        .join_from(leased, schema.notification,
                   _notification.notification_id == leased.c.notification_id)
        .order_by(leased.c.was_due, leased.c.delivery_id)
    )  # fmt: skip


def _lease_values() -> dict[str, Any]:
    until = bindparam(_UNTIL, type_=_delivery.due_at.type)
    return {"due_at": until, "lease": bindparam(_TOKEN, type_=Text())}


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
        if _is_news(delivery, attempt):
            row["attempts"] += 1
            attempts.append(attempt_row(attempt, row["attempts"]))
        row |= _settled(row, delivery, attempt, step)
    insert_all(connection, schema.attempt, attempts)
    changed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows.values():
        changed.setdefault(tuple(row), []).append(row)
    for alike in changed.values():
        update_all(connection, schema.delivery, "delivery_id", alike)
    _disable_gone(connection, results)


def _locked(connection: Connection, delivery_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """How the deliveries now stand, by id; locked in one order by everybody."""
    ids = [(delivery_id,) for delivery_id in sorted(delivery_ids)]
    rows = select_given(connection, _HELD_COLUMNS, _KEY, ids, lock=True)
    return {row[0]: dict(zip(_HELD_NAMES, row, strict=True)) for row in rows}


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


def _is_news(delivery: Delivery, attempt: Attempt) -> bool:
    """Whether there is something to record: a look may find all as it was."""
    outcome = attempt.outcome
    return not (isinstance(outcome, InProgress) and outcome.progress == delivery.progress)


def _settled(
    row: dict[str, Any], delivery: Delivery, attempt: Attempt, step: Step
) -> dict[str, Any]:
    """What the step makes of the row; nothing, where it comes from who no longer holds it."""
    ended_at = attempt.started_at + timedelta(seconds=attempt.duration_seconds)
    held = row["state"] == "pending" and row["lease"] == delivery.lease
    match step:
        case Done():
            return _ended("delivered", ended_at, "") | _progress(delivery, attempt, None)
        case RetryAt(at=at) if held:
            reason = getattr(attempt.outcome, "reason", "")
            again = {"due_at": at, "lease": "", "last_error": reason}
            return again | _progress(delivery, attempt, None)
        case LookAgainAt(at=at, since=since) if held:
            uncounted = {"attempts_before": row["attempts"] - delivery.attempts}
            again = {"due_at": at, "lease": "", "last_error": "", **uncounted}
            return again | _progress(delivery, attempt, since)
        case DeadLetter(reason=reason) if held:
            return _ended("dead", ended_at, reason) | _progress(delivery, attempt, None)
    return {}


def _progress(delivery: Delivery, attempt: Attempt, since: datetime | None) -> dict[str, Any]:
    """What changes of a delivery's progress; nothing for most, whose receivers take no time."""
    changed: dict[str, Any] = {}
    if (left := attempt.outcome.progress) is not None:
        changed["progress"] = progress_text(left)
    if since != delivery.in_progress_since:
        changed["in_progress_since"] = since
    return changed


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
