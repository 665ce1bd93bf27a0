"""The event archive: events kept once, and found by type, time and trait.

An event is one row, a document; beside it stands a row for each trait, in an index that gives the
events of a value in their order. That is work at every event, so that a question among millions
is answered from an index whatever it asks: types, equality and ranges alike.

A search gathers candidates from indexes alone, (generated, sequence) pairs: where one condition
leaves few, these; else first the newest that one of them leaves, for often they meet the others
too, then those that all conditions have in common. The documents decide.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import reduce
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    false,
    func,
    intersect,
    literal,
    select,
    text,
    tuple_,
    union_all,
)

from pipeline.alarms.conditions import glob
from pipeline.errors import Ambiguous, InvalidValue, NotFound
from pipeline.event import Event
from pipeline.store import schema
from pipeline.store.archive import EventFilter, EventType, TraitFilter, comparisons, matches
from pipeline.store.documents import from_json, storable_key, to_json
from pipeline.store.sql.bulk import insert_absent, insert_all
from pipeline.store.sql.part import Part
from pipeline.store.trait_keys import ranges, trait_key

_event, _trait = schema.event.c, schema.event_trait.c
_FEW = 1_000
_SMALLEST_PAGE, _LARGEST_PAGE = 100, 2_000
_ONE_BY_ONE = 100
_NEWEST_FIRST = (_event.generated.desc(), _event.sequence.desc())
_OLDEST_FIRST = (_event.generated, _event.sequence)

_Place = tuple[datetime, int]
"""(generated, sequence): where an event stands in the order."""
_Places = Select[tuple[datetime, int]]


class _Asked(NamedTuple):
    """What a condition leaves: the places in one or another of the parts, in none twice.

    `in_order`: each part has them in their order in an index.
    """

    parts: list[_Places]
    in_order: bool = True


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
            after = None if marker is None else _place(connection, marker)
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
                page = _page_in_order(connection, wanted, types, after).limit(_LARGEST_PAGE)
                places = connection.execute(page).all()
                found = list(_read(connection, places, _OLDEST_FIRST))
            # Outside of the transaction: whoever looks at them may take long.
            for event in found:
                if matches(wanted, event) and any(glob(each)(event.event_type) for each in types):
                    yield event
            if len(places) < _LARGEST_PAGE:
                return
            after = places[-1].generated, places[-1].sequence

    def archived_event(self, message_id: str) -> tuple[Event, datetime]:
        """One event, and when it was kept; a unique beginning of its id is enough."""
        key = storable_key(message_id)
        starts = (_event.message_id >= key, _event.message_id <= key + "\U0010ffff")
        statement = select(schema.event).where(*starts).order_by(_event.message_id).limit(2)
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        if not rows:
            raise NotFound(f"Event {message_id} is not in the archive")
        if len(rows) > 1 and rows[0].message_id != key:
            message = f"more than one event's id starts with '{message_id}'"
            raise Ambiguous(f"{message}. Use more of it")
        return Event.from_dict(from_json(rows[0].document)), rows[0].received_at

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
            .where(*_generated(wanted, _event.generated))
            .group_by(event_type)
            .order_by(event_type)
        )
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
    connection: Connection, wanted: EventFilter, limit: int, after: _Place | None
) -> Iterator[Event]:
    """Events among which are all that are wanted, in order; read a page at a time."""
    size = max(limit, _SMALLEST_PAGE)
    hasty = True
    while True:
        places = connection.execute(_page(connection, wanted, after, hasty).limit(size)).all()
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
    for start in range(0, len(places), _LARGEST_PAGE):
        these = [row.sequence for row in places[start : start + _LARGEST_PAGE]]
        documents = select(_event.document).where(_event.sequence.in_(these))
        for (document,) in connection.execute(documents.order_by(*order)):
            yield Event.from_dict(from_json(document))


def _place(connection: Connection, marker: str) -> _Place:
    statement = select(_event.generated, _event.sequence)
    place = connection.execute(statement.where(_event.message_id == storable_key(marker))).first()
    if place is None:
        raise InvalidValue(f"marker: event {marker} is not in the archive", "marker")
    return place.generated, place.sequence


def _page(
    connection: Connection, wanted: EventFilter, after: _Place | None, hasty: bool
) -> Select[Any]:
    """The places of candidates beyond `after`, the last generated first.

    In haste these are all that one condition leaves, if its index has them in this order.
    """
    asked = [_with_trait(trait, wanted, after) for trait in wanted.traits]
    if wanted.event_type.strip("*"):
        places = _from_index(_event, wanted, after)
        asked.append(_of_types(connection, places, [wanted.event_type]))
    if not asked:
        asked = [_Asked([_from_index(_event, wanted, after)])]
    asked = _most_telling(connection, asked)
    if hasty and len(asked) > 1:
        asked = next(([each] for each in asked if each.in_order), asked)
    found = _gathered(asked).subquery("place")
    return select(found).order_by(found.c.generated.desc(), found.c.sequence.desc())


def _page_in_order(
    connection: Connection, wanted: EventFilter, types: Collection[str], after: _Place | None
) -> Select[Any]:
    """The places of events of these types beyond `after`, the first generated first."""
    places = _from_index(_event, wanted, after, oldest_first=True)
    narrow = all(pattern.strip("*") for pattern in types)
    asked = _of_types(connection, places, types) if narrow else _Asked([places])
    found = _gathered([asked]).subquery("place")
    return select(found).order_by(found.c.generated, found.c.sequence)


def _most_telling(connection: Connection, asked: list[_Asked]) -> list[_Asked]:
    """Where some conditions leave few events each, the one that leaves fewest; else all."""
    if len(asked) == 1:
        return asked
    counted = [(_counted(connection, one), at) for at, one in enumerate(asked)]
    count, at = min(counted)
    return [asked[at]] if count < _FEW else asked


def _counted(connection: Connection, one: _Asked) -> int:
    """How many places there are; not beyond a few."""
    places = _gathered([one]).subquery("place")
    some = select(places).limit(_FEW)
    if one.in_order:
        # From the newest: where the oldest were, an index may be full of what was removed.
        some = some.order_by(places.c.generated.desc(), places.c.sequence.desc())
    counted = select(func.count()).select_from(some.subquery("some"))
    return connection.scalar(counted) or 0


def _gathered(asked: Sequence[_Asked]) -> Select[Any]:
    """The places that every condition leaves."""
    sets = [_united(one) for one in asked]
    return reduce(lambda one, other: select(intersect(one, other).subquery()), sets)


def _united(one: _Asked) -> Select[Any]:
    return one.parts[0] if len(one.parts) == 1 else select(union_all(*one.parts).subquery())


def _with_trait(trait: TraitFilter, wanted: EventFilter, after: _Place | None) -> _Asked:
    """Where a value stands in the index that one of the comparisons may be true of."""
    named = _trait.name == storable_key(trait.name)
    keys = [
        keys for op, kind, constant in comparisons(trait) for keys in ranges(op, kind, constant)
    ]
    places = _from_index(_trait, wanted, after).where(named)
    parts = [places.where(_within(low, high)) for low, high in keys]
    return _Asked(parts, all(low == high for low, high in keys))


def _within(low: str, high: str) -> ColumnElement[bool]:
    # Not BETWEEN: PostgreSQL cannot read it with the collation that SQLAlchemy writes.
    return _trait.value == low if low == high else and_(_trait.value >= low, _trait.value <= high)


def _of_types(connection: Connection, places: _Places, patterns: Collection[str]) -> _Asked:
    """Each type's part of these places; all in one where the globs fit very many."""
    types = [name for name in _types(connection) if any(_may_fit(each, name) for each in patterns)]
    if not types:
        return _Asked([places.where(false())])
    if len(types) > _ONE_BY_ONE:
        return _Asked([places.where(_event.event_type.in_(types))], in_order=False)
    return _Asked([places.where(_event.event_type == name) for name in types])


def _may_fit(pattern: str, stored: str) -> bool:
    """Whether the glob fits the type, which stands here as `storable_key` writes it."""
    return "\\" in stored or "…sha256:" in stored or bool(glob(pattern)(stored))


def _types(connection: Connection) -> Iterable[str]:
    """All types, found by leaping from one to the next in their index."""
    first = select(func.min(_event.event_type).label("name")).cte("types", recursive=True)
    following = (
        select(func.min(_event.event_type)).where(_event.event_type > first.c.name)
    ).scalar_subquery()
    types = first.union_all(select(following).where(first.c.name.is_not(None)))
    return connection.scalars(select(types.c.name).where(types.c.name.is_not(None)))


def _from_index(
    columns: Any, wanted: EventFilter, after: _Place | None, *, oldest_first: bool = False
) -> _Places:
    """Places by an index of `event` or of `event_trait`, which both end with them."""
    generated, sequence = columns.generated, columns.sequence
    conditions = _generated(wanted, generated)
    if after is not None:
        here = tuple_(literal(after[0], generated.type), literal(after[1], sequence.type))
        place = tuple_(generated, sequence)
        if oldest_first:
            conditions += [generated >= after[0], place > here]
        else:
            conditions += [generated <= after[0], place < here]
    return select(generated, sequence).where(*conditions)


def _generated(wanted: EventFilter, generated: ColumnElement[datetime]) -> list[Any]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(generated >= wanted.since)
    if wanted.until is not None:
        conditions.append(generated <= wanted.until)
    return conditions
