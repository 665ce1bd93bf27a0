"""Disabled: actions, and receivers, that are told nothing any more (delivery 4, 8).

A receiver that said 410 has that action disabled; one that only failed for days, all its actions.
What is for them becomes a dead letter at once, and `tocsin dead-letter replay` enables them.
Called by the parts of the store that record attempts and that people use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.dispatch import receiver
from pipeline.dispatch.action import NAMED
from pipeline.guards import Breaker
from pipeline.masking import mask_url
from pipeline.notification import Notification, Occurrence
from pipeline.self_notification import target_disabled, target_recovered
from pipeline.store import schema
from pipeline.store.documents import storable_key
from pipeline.store.guards import Closed, Disabled, Guarding, News
from pipeline.store.sql.breakers import forget_breakers
from pipeline.store.sql.bulk import among, execute_given, select_given
from pipeline.store.sql.intake import SqlTransaction
from pipeline.store.sql.telling import publish

_table = schema.disabled_action
_disabled, _delivery = _table.c, schema.delivery.c
_WAITING_COUNTED_UP_TO = 10_000


def all_of(to: str) -> str:
    """What stands for all actions of a receiver: `https://host:port/*`, `target:mail`."""
    return to if to.startswith(f"{NAMED}:") else f"{to}/*"


def disabled_reasons(connection: Connection, actions: Iterable[str]) -> dict[str, str]:
    """Why those of the actions that take nothing any more do so, by their key.

    A disabled receiver disables all its actions.
    """
    wanted = {action: all_of(receiver(action)) for action in set(actions)}
    keys = sorted({(each,) for pair in wanted.items() for each in pair})
    rows = select_given(
        connection, (_disabled.action_key, _disabled.reason), (_disabled.action_key,), keys
    )
    reasons = {row[0]: row[1] for row in rows}
    found = {
        storable_key(action): reasons.get(storable_key(action)) or reasons.get(storable_key(to))
        for action, to in wanted.items()
    }
    return {key: reason for key, reason in found.items() if reason}


def disable(connection: Connection, target: str, reason: str, at: datetime) -> bool:
    """Let the action, or all actions of a receiver, take nothing; False if so already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"action_key": target, "action": target, "reason": reason, "disabled_at": at}
    statement = dialect.insert(_table).values(row).on_conflict_do_nothing()
    return connection.execute(statement.returning(_disabled.action)).first() is not None


def enable(connection: Connection, actions: Iterable[str]) -> bool:
    """Let the actions and their receivers take deliveries again, breakers closed. Whether any of
    them was disabled or had failed."""
    receivers = {receiver(action) for action in actions}
    names = sorted({*actions, *map(all_of, receivers)})
    among_them = _disabled.action_key.in_([storable_key(name) for name in names])
    failing = schema.receiver_breaker.c.receiver
    known = (
        connection.execute(select(_disabled.action_key).where(among_them)).first()
        or connection.execute(select(failing).where(failing.in_(sorted(receivers)))).first()
    )
    key = _disabled.action_key
    enabled = delete(_table).where(among(connection, key))
    execute_given(connection, enabled, [key], [(name,) for name in names])
    forget_breakers(connection, receivers)
    return known is not None


def carry_out(
    connection: Connection,
    news: Sequence[tuple[News, Breaker]],
    guarding: Guarding,
    told: Sequence[str],
    now: datetime,
    new_id: Callable[[], str],
) -> list[News]:
    """Disable what is to be disabled, and tell of it: by an event to the publishers in `told`,
    and by a notification that goes where the matchers say."""
    done: list[News] = []
    transaction = SqlTransaction(connection, lambda: now, new_id)
    for each, breaker in news:
        fields: dict[str, Any]
        match each:
            case Disabled(target, reason):
                failed = breaker.failing_since is not None
                if not disable(connection, all_of(target) if failed else target, reason, now):
                    continue
                shown = mask_url(target)
                fields = {"target": shown, "reason": reason, **_known(breaker)}
                fields["waiting"] = _waiting(connection, target, all_of_it=failed)
                event = target_disabled(new_id(), now, fields)
                publish(connection, told, [event], now, new_id)
                _notify(transaction, guarding, new_id(), "error", now, "target-disabled", fields)
                each = Disabled(shown, reason)
            case Closed(target):
                fields = {"target": target, **_known(breaker)}
                event = target_recovered(new_id(), now, fields)
                publish(connection, told, [event], now, new_id)
                _notify(transaction, guarding, new_id(), "notice", now, "target-recovered", fields)
        done.append(each)
    return done


def _known(breaker: Breaker) -> dict[str, Any]:
    since = breaker.failing_since or breaker.open_since
    known = {"last_error": breaker.last_error} if breaker.last_error else {}
    return {"failing_since": since.isoformat(), **known} if since else dict(known)


def _waiting(connection: Connection, target: str, *, all_of_it: bool) -> int:
    """How many deliveries wait for a receiver, or for one action of it; counted up to a bound."""
    here = (_delivery.receiver == receiver(target)) & (_delivery.state == "pending")
    if not all_of_it:
        here &= _delivery.action == target
    some = select(_delivery.delivery_id).where(here).limit(_WAITING_COUNTED_UP_TO).subquery()
    return int(connection.scalar(select(func.count()).select_from(some)) or 0)


def _notify(
    transaction: SqlTransaction,
    guarding: Guarding,
    notification_id: str,
    severity: str,
    now: datetime,
    kind: str,
    fields: dict[str, Any],
) -> None:
    notification = Notification(notification_id, severity, now, Occurrence(kind, fields))
    if actions := guarding.plan(notification):
        transaction.save_notification(notification, actions)
