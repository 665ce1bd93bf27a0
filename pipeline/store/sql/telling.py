"""Writes self-notifications down, in the transaction of the change that they tell of (alarms 25).

They are kept as publications that no publisher was asked to take yet; the republisher brings them.
Called by the parts of the store that write history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

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
    if not publishers or not history:
        return
    events = [self_notification(row, publisher_id) for row in history]
    portions = [
        tuple(events[start : start + _EVENTS_IN_A_PUBLICATION])
        for start in range(0, len(events), _EVENTS_IN_A_PUBLICATION)
    ]
    rows = [
        publication_row(Publication(new_id(), url, portion, error="", attempts=0), now)
        for url in publishers
        for portion in portions
    ]
    insert_all(connection, schema.publication, rows)
