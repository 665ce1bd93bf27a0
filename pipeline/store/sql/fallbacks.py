"""Fallbacks: another target takes what one could not deliver (delivery 11).

A dead letter becomes a new delivery of the same notification, in the transaction that records the
death. A fallback gets a notification once: none is made where there is a delivery of it to the
same action already, which also ends every circle and makes a dead letter that is replayed and
dies again no second one. Called by `pipeline.store.sql.outbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from pipeline.dispatch import receiver
from pipeline.masking import mask_url
from pipeline.notification import Delivery
from pipeline.store import schema
from pipeline.store.documents import storable_text
from pipeline.store.guards import Guarding, HandedOn
from pipeline.store.sql.arrivals import announce_deliveries
from pipeline.store.sql.bulk import insert_all

_delivery, _notification = schema.delivery.c, schema.notification.c


def hand_on(
    connection: Connection,
    dead: Sequence[Delivery],
    guarding: Guarding,
    now: datetime,
    new_id: Callable[[], str],
) -> list[HandedOn]:
    """Make a delivery to its fallback of each that has just died, where it has one."""
    wanted = [(each, guarding.fallback(each.action)) for each in dead]
    wanted = [(each, to) for each, to in wanted if to and to != each.action]
    if not wanted:
        return []
    known = _known(connection, {each.notification.notification_id for each, _ in wanted})
    rows: list[dict[str, Any]] = []
    handed = []
    for each, to in wanted:
        assert to is not None
        key = (each.notification.notification_id, storable_text(to))
        if key not in known:
            known.add(key)
            row = _row(each, to, now, new_id())
            rows.append(row)
            handed.append(HandedOn(each.delivery_id, mask_url(to), row["delivery_id"]))
    insert_all(connection, schema.delivery, rows)
    if rows:
        announce_deliveries(connection)
    return handed


def _known(connection: Connection, notification_ids: set[str]) -> set[tuple[str, str]]:
    """Where these notifications go already. They are locked, in one order by everybody: so of two
    notifiers, one finds what the other has written."""
    ids = sorted(notification_ids)
    these = select(_notification.notification_id).where(_notification.notification_id.in_(ids))
    connection.execute(these.order_by(_notification.notification_id).with_for_update()).all()
    pairs = select(_delivery.notification_id, _delivery.action)
    found = connection.execute(pairs.where(_delivery.notification_id.in_(ids)))
    return {(row.notification_id, row.action) for row in found}


def _row(dead: Delivery, to: str, now: datetime, delivery_id: str) -> dict[str, Any]:
    return {
        "delivery_id": delivery_id,
        "notification_id": dead.notification.notification_id,
        "action": to,
        "receiver": receiver(to),
        "state": "pending",
        "attempts": 0,
        "attempts_before": 0,
        "created_at": now,
        "due_at": now,
        "lease": "",
        "finished_at": None,
        "last_error": "",
        "guarded": None,
        "fallback_for": dead.delivery_id,
    }
