"""The event archive: events kept once, and found by type, time and trait.

An event is one row, a document; beside it stands a row for each trait, in an index that gives the
events of a value in their order. That is work at every event, so that a question among millions
is answered from an index whatever it asks: types, equality and ranges alike.

A search reads the events at the places that may have what is wanted
(`pipeline.store.sql.archive_places`), a page at a time; the documents decide.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from pipeline.alarms.conditions import glob
from pipeline.errors import Ambiguous, InvalidValue, NotFound
from pipeline.event import Event
from pipeline.store import schema
from pipeline.store.archive import EventFilter, EventType, matches
from pipeline.store.documents import from_json, storable_key, to_json
from pipeline.store.sql.archive_places import (
    Place,
    belonging,
    in_time,
    page,
    page_in_order,
)
from pipeline.store.sql.bulk import insert_absent, insert_all
from pipeline.store.sql.part import Part
from pipeline.store.trait_keys import trait_key

_event = schema.event.c
_SMALLEST_PAGE, _LARGEST_PAGE = 100, 2_000
_LOOKED_AT = 1_000
"""Of the events whose ids begin alike, for those that belong to somebody."""
_NEWEST_FIRST = (_event.generated.desc(), _event.sequence.desc())
_OLDEST_FIRST = (_event.generated, _event.sequence)


class SqlArchive(Part):
    """`store.archive.ArchivedEvents`, and `publishers.base.Archive`."""

    def keep_events(self, events: Sequence[Event]) -> None:
        """Keep them; one that is kept already changes nothing (events-in 3)."""
        now = self._clock()
        by_id = {storable_key(event.message_id): event for event in reversed(events)}
        rows = [_event_row(key, event, now) for key, event in by_id.items()]
        if not rows:
            return
        with self._database.write() as connection:
            new = insert_absent(connection, schema.event, rows, _event.message_id, _event.sequence)
            traits = [row for key, place in new.items() for row in trait_rows(by_id[key], place)]
            # In the index's order, so that what stands together is written together.
            traits.sort(key=itemgetter("name", "value"))
            insert_all(connection, schema.event_trait, traits)

    def events(
        self, wanted: EventFilter, limit: int = 100, marker: str | None = None
    ) -> Sequence[Event]:
        """Events, the last generated first; after the one whose message id is the marker."""
        if limit < 1:
            raise InvalidValue(f"limit must be at least 1, not {limit}", "limit")
        found: list[Event] = []
        with self._database.read() as connection:
            _walk_indexes(connection)
            after = None if marker is None else _place(connection, marker, wanted.projects)
            for event in _candidates(connection, wanted, limit, after):
                if matches(wanted, event):
                    found.append(event)
                if len(found) == limit:
                    break
        return found

    def events_in_order(self, wanted: EventFilter, types: Collection[str]) -> Iterator[Event]:
        """All events that are wanted and of one of these types, the first generated first."""
        after = None
        while True:
            with self._database.read() as connection:
                _walk_indexes(connection)
                there = page_in_order(connection, wanted, types, after).limit(_LARGEST_PAGE)
                places = connection.execute(there).all()
                found = list(_read(connection, places, _OLDEST_FIRST))
            # Outside of the transaction: whoever looks at them may take long.
            for event in found:
                if matches(wanted, event) and any(glob(each)(event.event_type) for each in types):
                    yield event
            if len(places) < _LARGEST_PAGE:
                return
            after = places[-1].generated, places[-1].sequence

    def archived_event(
        self, message_id: str, projects: frozenset[str] | None = None
    ) -> tuple[Event, datetime]:
        """One event, and when it was kept; a unique beginning of its id is enough."""
        key = storable_key(message_id)
        starts = (_event.message_id >= key, _event.message_id <= key + "\U0010ffff")
        statement = select(schema.event).where(*starts).order_by(_event.message_id)
        with self._database.read() as connection:
            rows = connection.execute(statement.limit(2 if projects is None else _LOOKED_AT))
            seen = ((row, _event_of(row)) for row in rows)
            found = list(islice((one for one in seen if _seen(one[1], projects)), 2))
        if not found:
            raise NotFound(f"Event {message_id} is not in the archive")
        row, event = found[0]
        if len(found) > 1 and row.message_id != key:
            message = f"more than one event's id starts with '{message_id}'"
            raise Ambiguous(f"{message}. Use more of it")
        return event, row.received_at

    def fired_at(self, alarm_id: str, message_id: str) -> datetime | None:
        """When the event fired the alarm; None if it did not, or firings are kept less long."""
        firing, key = schema.firing.c, storable_key(message_id)
        of_both = (firing.alarm_id == storable_key(alarm_id), firing.message_id == key)
        with self._database.read() as connection:
            return connection.scalar(select(firing.fired_at).where(*of_both))

    def event_types(self, wanted: EventFilter) -> Sequence[EventType]:
        """The types of the events, by name. Traits are not looked at."""
        event_type = _event.event_type
        counted = (
            select(
                event_type, func.count(), func.min(_event.generated), func.max(_event.generated)
            )
            .where(*in_time(wanted, _event.generated))
            .group_by(event_type)
            .order_by(event_type)
        )
        if wanted.projects is not None:
            counted = counted.where(_event.sequence.in_(belonging(wanted.projects, wanted)))
        fits = glob(wanted.event_type)
        with self._database.read() as connection:
            rows = connection.execute(counted).all()
        return [EventType(*row) for row in rows if fits(row[0])]


# --- in --------------------------------------------------------------------------------------


def _event_row(key: str, event: Event, now: datetime) -> dict[str, Any]:
    document = to_json(event.as_dict(), keep_nan=_may_hold_nan(event))
    return {
        "message_id": key,
        "event_type": event.event_type,
        "generated": event.generated,
        "received_at": now,
        "document": document,
        "bytes": len(document),
    }


def _may_hold_nan(event: Event) -> bool:
    """Whether the slow way of writing JSON is needed, for NaN and infinity to stay in it."""
    floats = (value for value in event.values.values() if isinstance(value, float))
    return bool(event.raw) or not all(map(math.isfinite, floats))


def trait_rows(event: Event, sequence: int) -> Iterator[dict[str, Any]]:
    """The rows of an event's traits. Removing it asks for them again: they may never change."""
    values = {storable_key(name): trait_key(value) for name, value in event.values.items()}
    for name, value in values.items():
        yield {
            "name": name,
            "value": value,
            "generated": event.generated,
            "sequence": sequence,
        }


# --- search ----------------------------------------------------------------------------------


def _candidates(
    connection: Connection, wanted: EventFilter, limit: int, after: Place | None
) -> Iterator[Event]:
    """Events among which are all that are wanted, in order; read a page at a time."""
    size = max(limit, _SMALLEST_PAGE)
    hasty = True
    while True:
        places = connection.execute(page(connection, wanted, after, hasty).limit(size)).all()
        yield from _read(connection, places)
        if len(places) < size:
            return
        after = places[-1].generated, places[-1].sequence
        # Conditions that much of all meets are often met together: that is soon seen, or not.
        hasty = hasty and size < _LARGEST_PAGE
        size = min(size * 2, max(limit, _LARGEST_PAGE))


def _walk_indexes(connection: Connection) -> None:
    """Keep PostgreSQL from gathering a whole condition to sort it, where its index is in order.

    It would, as long as it has no statistics of a table that grew fast.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL enable_bitmapscan = off"))


def _read(
    connection: Connection, places: Sequence[Row[Any]], order: Sequence[Any] = _NEWEST_FIRST
) -> Iterator[Event]:
    sequences = list(dict.fromkeys(row.sequence for row in places))
    for start in range(0, len(sequences), _LARGEST_PAGE):
        these = sequences[start : start + _LARGEST_PAGE]
        documents = select(_event.document).where(_event.sequence.in_(these))
        for (document,) in connection.execute(documents.order_by(*order)):
            yield Event.from_dict(from_json(document))


def _place(connection: Connection, marker: str, projects: frozenset[str] | None) -> Place:
    statement = select(schema.event).where(_event.message_id == storable_key(marker))
    place = connection.execute(statement).first()
    if place is None or not _seen(_event_of(place), projects):
        raise InvalidValue(f"marker: event {marker} is not in the archive", "marker")
    return place.generated, place.sequence


def _event_of(row: Any) -> Event:
    return Event.from_dict(from_json(row.document))


def _seen(event: Event, projects: frozenset[str] | None) -> bool:
    return projects is None or event.project_id in projects
