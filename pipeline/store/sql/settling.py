"""Settling: attempts are written down, with what becomes of their deliveries.

Called by `pipeline.store.sql.outbox` in its transaction. A delivery that arrived stays delivered,
whoever says so; any other step counts only for who still holds the lease.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Connection, select

from pipeline.guards import Breaker
from pipeline.notification import Attempt, Delivery, InProgress, Refused
from pipeline.retry import DeadLetter, Done, LookAgainAt, RetryAt, Step
from pipeline.store import schema
from pipeline.store.guards import Disabled, News
from pipeline.store.rows import attempt_row, progress_text
from pipeline.store.sql.bulk import among, execute_given, select_given, write_all
from pipeline.store.sql.written import Rows, Written

_delivery = schema.delivery.c
_HELD_COLUMNS = _delivery.delivery_id, _delivery.state, _delivery.attempts, _delivery.lease
_HELD_NAMES = tuple(str(column.name) for column in _HELD_COLUMNS)
_KEY = (_delivery.delivery_id,)

Result: TypeAlias = tuple[Delivery, Attempt, Step]


def settle(connection: Connection, results: Sequence[Result]) -> list[Delivery]:
    """Write down the attempts, and how the deliveries now stand; those that have died."""
    rows = _locked(connection, {delivery.delivery_id for delivery, _, _ in results})
    recorded = _recorded(connection, rows, results)
    attempts, dead = [], []
    for delivery, attempt, step in results:
        row = rows.get(delivery.delivery_id)
        if row is None:  # a person has deleted it meanwhile
            continue
        if (delivery.delivery_id, attempt.started_at) in recorded:
            continue
        if _is_news(delivery, attempt):
            row["attempts"] += 1
            attempts.append(attempt_row(attempt, row["attempts"]))
        row |= (settled := _settled(row, delivery, attempt, step))
        if settled.get("state") == "dead":
            dead.append(delivery)
    _write(connection, attempts, rows.values())
    return dead


def _write(connection: Connection, attempts: Rows, deliveries: Iterable[dict[str, Any]]) -> None:
    """The attempts, and the deliveries as they now stand: together where these have all changed
    alike, as when all have arrived."""
    changed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in deliveries:
        changed.setdefault(tuple(row), []).append(row)
    updates = [Written(schema.delivery, alike, "delivery_id") for alike in changed.values()]
    write_all(connection, [Written(schema.attempt, attempts), *updates[:1]])
    for update in updates[1:]:
        write_all(connection, [update])


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


def gone(results: Sequence[Result]) -> list[tuple[News, Breaker]]:
    """The actions whose receivers want nothing more from us."""
    gone = {
        delivery.action: attempt.outcome.reason
        for delivery, attempt, _ in results
        if isinstance(attempt.outcome, Refused) and attempt.outcome.gone
    }
    return [(Disabled(action, reason), Breaker()) for action, reason in sorted(gone.items())]
