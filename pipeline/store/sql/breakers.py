"""Breakers: what receivers that fail have come to (delivery 8).

A receiver has a row from its first failure on, until it has answered and a while has passed. What
a notifier heard is added to the row, which is locked meanwhile: so all notifiers count together,
one of them opens the breaker, and one probes. Of receivers that work nothing is written.

Called by `pipeline.store.sql.outbox` in the transaction that records the attempts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Executable, delete, select, update

from pipeline.guards import Breaker, BreakerRules, Heard
from pipeline.guards.breaker import after
from pipeline.notification import Attempt, Delivery, Failed
from pipeline.retry import Step
from pipeline.store import schema
from pipeline.store.documents import from_json, storable_key, to_json
from pipeline.store.guards import Closed, Disabled, News, Opened
from pipeline.store.sql import driven
from pipeline.store.sql.bulk import among, execute_given, insert_new

_table = schema.receiver_breaker
_breaker = _table.c
_NAMES = tuple(column.name for column in _table.columns)
_FORGOTTEN_AFTER = timedelta(days=30)
_NEW: Mapping[str, Any] = {
    "lately": "{}",
    "failing_since": None,
    "failures": 0,
    "last_error": "",
    "open_since": None,
    "probe_at": None,
    "probe": "",
}

Results = Sequence[tuple[Delivery, Attempt, Step]]


def all_breakers(connection: Connection) -> dict[str, Breaker]:
    """The breakers by receiver."""
    found = driven.execute(connection, {}, _all)
    rows = [SimpleNamespace(**dict(zip(_NAMES, row, strict=True))) for row in found]
    return {row.receiver: _from(row) for row in rows}


def settle_breakers(
    connection: Connection,
    heard: Mapping[str, Heard],
    results: Results,
    rules: BreakerRules,
    now: datetime,
) -> list[tuple[News, Breaker]]:
    """Add what was heard to the breakers; those that opened, closed, or gave up their receiver,
    each with the breaker as it was then."""
    if not heard:
        return []
    news: list[tuple[News, Breaker]] = []
    gone = []
    for receiver, before in _held(connection, heard, now).items():
        probe = _probe(before, results)
        verdict = after(before, heard[receiver], now, rules, probe)
        breaker = verdict.breaker
        if verdict.disable:
            news.append((Disabled(receiver, verdict.disable), breaker))
        elif breaker.is_open and not before.is_open and breaker.probe_at:
            news.append((Opened(receiver, breaker.last_error, breaker.probe_at), breaker))
        elif before.open_since and not breaker.is_open:
            news.append((Closed(receiver, before.open_since), before))
        if verdict.disable or breaker.is_idle:
            gone.append(receiver)
        else:
            _write(connection, receiver, breaker, now)
    forget_breakers(connection, gone)
    _forget_idle(connection, rules, now)
    return news


def forget_breakers(connection: Connection, receivers: Collection[str]) -> None:
    """These start afresh."""
    if receivers:
        statement = delete(_table).where(among(connection, _breaker.receiver))
        keys = [(receiver,) for receiver in sorted(receivers)]
        execute_given(connection, statement, [_breaker.receiver], keys)


def due_probes(connection: Connection, now: datetime, most: int) -> list[str]:
    """Receivers that may be probed now, held; those that others hold are passed over."""
    statement = (
        select(_breaker.receiver)
        .where(_breaker.open_since.is_not(None), _breaker.probe_at <= now)
        .order_by(_breaker.receiver)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return list(connection.scalars(statement))


def probed_by(connection: Connection, receiver: str, delivery_id: str, until: datetime) -> None:
    """This delivery probes the receiver; another may when that takes too long."""
    values = {"probe": delivery_id, "probe_at": until}
    connection.execute(update(_table).where(_breaker.receiver == receiver).values(values))


def unprobed(connection: Connection, delivery_ids: Collection[str], now: datetime) -> None:
    """These were given back untried: where one was to probe, another may now."""
    these = _breaker.probe.in_(delivery_ids)
    connection.execute(update(_table).where(these).values(probe="", probe_at=now))


def _all(_on_sqlite: bool) -> Executable:
    return select(_table)


def _held(connection: Connection, heard: Mapping[str, Heard], now: datetime) -> dict[str, Breaker]:
    """The breakers of these receivers, locked in one order by everybody. Who has failed and had
    none has one now."""
    failed = [who for who, each in heard.items() if each.error]
    rows = [{"receiver": who, **_NEW, "updated_at": now} for who in failed]
    insert_new(connection, _table, rows, key="receiver")
    by_key = {storable_key(who): who for who in heard}
    found = connection.execute(
        select(_table)
        .where(_breaker.receiver.in_(list(heard)))
        .order_by(_breaker.receiver)
        .with_for_update()
    )
    return {by_key[row.receiver]: _from(row) for row in found}


def _probe(breaker: Breaker, results: Results) -> bool | None:
    """Whether the probe was answered; None where none is among the results."""
    if not breaker.probe:
        return None
    for delivery, attempt, _ in results:
        if delivery.delivery_id == breaker.probe:
            return not isinstance(attempt.outcome, Failed)
    return None


def _write(connection: Connection, receiver: str, breaker: Breaker, now: datetime) -> None:
    values = {
        "lately": to_json({str(slot): counted for slot, counted in breaker.lately.items()}),
        "failing_since": breaker.failing_since,
        "failures": breaker.failures,
        "last_error": breaker.last_error,
        "open_since": breaker.open_since,
        "probe_at": breaker.probe_at,
        "probe": breaker.probe,
        "updated_at": now,
    }
    connection.execute(update(_table).where(_breaker.receiver == receiver).values(values))


def _from(row: Any) -> Breaker:
    lately = {int(slot): (each[0], each[1]) for slot, each in from_json(row.lately).items()}
    return Breaker(
        lately=lately,
        failing_since=row.failing_since,
        failures=row.failures,
        last_error=row.last_error,
        open_since=row.open_since,
        probe_at=row.probe_at,
        probe=row.probe,
    )


def _forget_idle(connection: Connection, rules: BreakerRules, now: datetime) -> None:
    """Forget who has answered and was not called since, and who is not called at all any more."""
    answered = _breaker.failing_since.is_(None) & _breaker.open_since.is_(None)
    rested = answered & (_breaker.updated_at < now - rules.window)
    old = rested | (_breaker.updated_at < now - _FORGOTTEN_AFTER)
    held = select(_breaker.receiver).where(old).with_for_update(skip_locked=True)
    connection.execute(delete(_table).where(_breaker.receiver.in_(held)))
