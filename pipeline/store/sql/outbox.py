"""Outbox: deliveries as the notifier takes and settles them.

A claim is a lease: nobody else gets the delivery until it ends, and when a notifier dies its
deliveries become due again by themselves. A delivery that arrived stays delivered, whoever says
so; any other step counts only for who still holds the lease.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType, SimpleNamespace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    update,
)

from pipeline.guards import BreakerRules, Heard
from pipeline.notification import Delivery, Notification
from pipeline.store import schema
from pipeline.store.documents import storable_key
from pipeline.store.guards import Guarding, News
from pipeline.store.rows import notification_from, progress_from
from pipeline.store.sql import driven
from pipeline.store.sql.arrivals import announce_deliveries
from pipeline.store.sql.breakers import settle_breakers, unprobed
from pipeline.store.sql.bulk import (
    among,
    among_given,
    execute_given,
    given_keys,
)
from pipeline.store.sql.disabled import carry_out, disabled_reasons
from pipeline.store.sql.fallbacks import hand_on
from pipeline.store.sql.part import Part
from pipeline.store.sql.settling import Result, gone, settle
from pipeline.store.types import instant_text

_delivery, _notification = schema.delivery.c, schema.notification.c
_disabled, _breaker = schema.disabled_action.c, schema.receiver_breaker.c

_DELIVERY_COLUMNS = (
    _delivery.delivery_id,
    _delivery.action,
    _delivery.attempts,
    _delivery.attempts_before,
    _delivery.progress,
    _delivery.in_progress_since,
    _delivery.guarded,
)
CLAIMED_COLUMNS = (*_DELIVERY_COLUMNS, *schema.notification.c)

_TAKEN_NAMES = [*(str(column.name) for column in CLAIMED_COLUMNS), "any_disabled"]
_KEY, _RECEIVER = (_delivery.delivery_id,), (_delivery.receiver,)
# Spelled out, not a parameter: so that SQLite knows that the index on what is pending will do.
_IS_PENDING = _delivery.state == literal_column("'pending'")
_NOW, _UNTIL, _TOKEN, _LIMIT = "now", "until", "token", "most"

_NOTHING_HEARD: Mapping[str, Heard] = MappingProxyType({})


class _Unguarded:
    """For who records attempts and knows of no fallbacks and no matchers."""

    rules = BreakerRules()

    def fallback(self, action: str) -> str | None:
        """There is none."""

    def plan(self, notification: Notification) -> Sequence[str]:
        """Nobody is told."""
        return ()


_UNGUARDED = _Unguarded()


class SqlOutbox(Part):
    """The notifier's half of `store.base.Outbox`."""

    def claim(
        self, limit: int, lease: timedelta, now: datetime, busy: Collection[str] = ()
    ) -> list[Delivery]:
        """Take due deliveries, oldest first; nobody else gets them until the lease ends.

        Those for a `busy` receiver (`dispatch.receiver(action)`) are left for later, so that one
        that hangs does not stand before the others, however many wait for it (delivery 8). So are
        those for a receiver whose breaker is open.
        """
        if not (limit and self._any_due(now, busy)):
            return []  # the common case, for which nobody has to wait
        with self._database.write_at_once() as connection:
            return self._take(connection, limit, lease, now, busy)

    def finish(
        self,
        results: Sequence[Result],
        heard: Mapping[str, Heard] = _NOTHING_HEARD,
        guarding: Guarding | None = None,
    ) -> list[News]:
        """Record each attempt, and the step that follows it, in one transaction.

        A step other than Done is ignored for a delivery whose lease another notifier now holds.
        An attempt whose outcome is `Refused(gone=True)` disables its action. What is recorded
        already changes nothing: who lost the answer to a commit says it again.
        `heard` is added to the breakers; by `guarding`, fallbacks take what died. What came of
        that is returned.
        """
        if not results:
            return []
        with self._database.write() as connection:
            dead = settle(connection, results)
            return self._guarded(connection, results, dead, heard, guarding or _UNGUARDED)

    def _guarded(
        self,
        connection: Connection,
        results: Sequence[Result],
        dead: Sequence[Delivery],
        heard: Mapping[str, Heard],
        guarding: Guarding,
    ) -> list[News]:
        now, news = self._clock(), gone(results)
        news += settle_breakers(connection, heard, results, guarding.rules, now)
        told = self._told
        done = carry_out(connection, news, guarding, told, now, self._new_id) if news else []
        if dead:
            done += hand_on(connection, dead, guarding, now, self._new_id)
        return done

    def next_due(self, after: datetime) -> datetime | None:
        """When the first delivery that is due after then will be, None if there is none."""
        with self._database.look() as connection:
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
            unprobed(connection, [delivery.delivery_id for delivery in deliveries], now)
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
    """The delivery of a row that has `CLAIMED_COLUMNS`."""
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


def _due_given(connection: Connection, now: datetime, busy: Collection[str]) -> dict[str, Any]:
    keys = given_keys(connection, _RECEIVER, [(who,) for who in sorted(busy)])
    return {**keys, _NOW: instant_text(now)}


def _due(on_sqlite: bool) -> ColumnElement[bool]:
    now = bindparam(_NOW, type_=_delivery.due_at.type)
    opened = select(_breaker.receiver).where(_breaker.open_since.is_not(None))
    spared = _delivery.receiver.in_(opened) | among_given(on_sqlite, _RECEIVER)
    return _IS_PENDING & (_delivery.due_at <= now) & ~spared


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
        select(*CLAIMED_COLUMNS, _ANY_DISABLED)
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
