"""Writes self-notifications down, in the transaction of the change that they tell of (alarms 25).

They are kept as publications that no publisher was asked to take yet; the republisher brings them.
Called by the parts of the store that write history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from pipeline.event import Event
from pipeline.self_notification import self_notification
from pipeline.store import schema
from pipeline.store.base import Publication
from pipeline.store.rows import publication_row
from pipeline.store.sql.bulk import insert_all

_EVENTS_IN_A_PUBLICATION = 500


def tell(
    connection: Connection,
    publishers: Sequence[str],
    history: Sequence[Mapping[str, Any]],
    publisher_id: str,
    now: datetime,
    new_id: Callable[[], str],
) -> None:
    """Keep, for each publisher, an event for each of these rows of history."""
    if publishers and history:
        events = [self_notification(row, publisher_id) for row in history]
        publish(connection, publishers, events, now, new_id)


def publish(
    connection: Connection,
    publishers: Sequence[str],
    events: Sequence[Event],
    now: datetime,
    new_id: Callable[[], str],
) -> None:
    """Keep these events for each publisher."""
    portions = [
        tuple(events[start : start + _EVENTS_IN_A_PUBLICATION])
        for start in range(0, len(events), _EVENTS_IN_A_PUBLICATION)
    ]
    rows = [
        publication_row(
            _untried(new_id(), url, portion, now + timedelta(microseconds=number)), now
        )
        for url in publishers
        for number, portion in enumerate(portions)
    ]
    insert_all(connection, schema.publication, rows)


def _untried(new_id: str, url: str, events: tuple[Event, ...], made: datetime) -> Publication:
    return Publication(new_id, url, events, error="", attempts=0, created_at=made)
