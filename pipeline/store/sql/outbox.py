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
        if not limit:
            return []
        token = self._new_id()
        due = {_NOW: instant_text(now), _LIMIT: limit}
        found = self._leased(due, {_UNTIL: instant_text(now + lease), _TOKEN: token}, busy)
        rows = [SimpleNamespace(**dict(zip(_TAKEN_NAMES, row, strict=True))) for row in found]
        disabled: dict[str, str] = {}
        if rows and rows[0].any_disabled:
            with self._database.read() as connection:
                disabled = disabled_reasons(connection, {row.action for row in rows})
        return [delivery_from(row, token, disabled) for row in rows]

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

    def _leased(
        self, due: dict[str, Any], lease: dict[str, Any], busy: Collection[str]
    ) -> list[Sequence[Any]]:
        """What is due, leased from now on; what others are claiming is left out. In one journey
        to the database, where it is one.

        A claim need not outlive the database's machine: what is lost of it is due again.
        """
        if not self._database.is_sqlite:
            with self._database.write_at_once() as connection:
                given = {**due, **_receivers(connection, busy), **lease}
                return driven.execute(connection, given, _lease_due)
        with self._database.look() as connection:
            found = driven.execute(connection, {**due, **_receivers(connection, busy)}, _all_due)
        if not found:
            return []  # the common case, for which nobody has to wait
        with self._database.write_at_once() as connection:
            keys = given_keys(connection, _KEY, [(row[0],) for row in found])
            given = {**keys, _NOW: due[_NOW], **lease}
            ours = {row[0] for row in driven.execute(connection, given, _lease_these)}
        return [row for row in found if row[0] in ours]


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


def _receivers(connection: Connection, busy: Collection[str]) -> dict[str, Any]:
    return given_keys(connection, _RECEIVER, [(who,) for who in sorted(busy)])


def _due(on_sqlite: bool) -> ColumnElement[bool]:
    opened = select(_breaker.receiver).where(_breaker.open_since.is_not(None))
    spared = _delivery.receiver.in_(opened) | among_given(on_sqlite, _RECEIVER)
    return _is_due() & ~spared


def _is_due() -> ColumnElement[bool]:
    return _IS_PENDING & (_delivery.due_at <= bindparam(_NOW, type_=_delivery.due_at.type))


def _first_due_after(on_sqlite: bool) -> Executable:
    now = bindparam(_NOW, type_=_delivery.due_at.type)
    return select(func.min(_delivery.due_at)).where(_IS_PENDING, _delivery.due_at > now)


_ANY_DISABLED = exists(select(_disabled.action_key)).label("any_disabled")


def _all_due(on_sqlite: bool) -> Executable:
    """Due deliveries with what they tell, oldest first: on SQLite, which leases them apart."""
    told = _notification.notification_id == _delivery.notification_id
    return (
        select(*CLAIMED_COLUMNS, _ANY_DISABLED)
        .join_from(schema.delivery, schema.notification, told)
        .where(_due(on_sqlite))
        .order_by(_delivery.due_at, _delivery.delivery_id)
        .limit(bindparam(_LIMIT, type_=Integer()))
    )


def _lease_these(on_sqlite: bool) -> Executable:
    """Lease these, and give which: not what another process has taken meanwhile."""
    these = among_given(on_sqlite, _KEY) & _is_due()
    leased = update(schema.delivery).where(these).values(_lease_values())
    return leased.returning(_delivery.delivery_id)


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
