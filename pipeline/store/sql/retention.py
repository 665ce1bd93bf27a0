"""Removing what is old, in portions that nobody waits for.

Each portion is a transaction of some hundred rows, found by an index or in the order in which
they were written. Rows that another transaction holds are passed over: the next round finds them.
What is removed is named by key, never by a scan, so that two who prune at once only share the
work. Whether a row may go is decided on the row as it stands, locked: a dead letter that a person
replays at this moment is pending, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnClause,
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    column,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TIMESTAMP

from pipeline.event import Event
from pipeline.store import schema
from pipeline.store.documents import from_json
from pipeline.store.retention import Kept
from pipeline.store.sql.archive import trait_rows
from pipeline.store.sql.bulk import among, execute_given
from pipeline.store.sql.deliveries import remove_deliveries
from pipeline.store.sql.part import Part
from pipeline.store.types import instant_text

_firing, _delivery, _notification = (
    schema.firing.c,
    schema.delivery.c,
    schema.notification.c,
)
_event, _pruning = schema.event.c, schema.pruning.c
_LONGEST_PUT_OFF = timedelta(days=2)

Portion = Callable[[Connection, datetime, int], int]


class SqlRetention(Part):
    """`store.retention.Retention`."""

    def prune(self, kept: Kept, before: datetime, portion: int) -> Iterator[int]:
        """Remove what is from before that time, the oldest first; after each portion, how many."""
        if kept is Kept.DELIVERIES:
            yield from self._prune_delivered(before, portion)
            return
        prune_some = _PORTIONS[kept]
        while True:
            with self._database.write() as connection:
                removed = prune_some(connection, before, portion)
            if not removed:
                return
            yield removed

    def prunable(self, kept: Kept, before: datetime) -> int:
        """How many `prune` would remove."""
        table, conditions = _OLD[kept]
        statement = select(func.count()).select_from(table).where(*conditions(before))
        with self._database.read() as connection:
            return int(connection.scalar(statement) or 0)

    def _prune_delivered(self, before: datetime, portion: int) -> Iterator[int]:
        """In the order of their making; what stays among them, dead letters, is passed once."""
        conditions = _OLD[Kept.DELIVERIES][1](before)
        columns = (_delivery.delivery_id, _delivery.notification_id, _delivery.created_at)
        oldest = select(*columns).where(*conditions).order_by(_delivery.created_at)
        oldest = oldest.limit(portion).with_for_update(skip_locked=True)
        reached = None
        while True:
            further = oldest if reached is None else oldest.where(_delivery.created_at >= reached)
            with self._database.write() as connection:
                rows = connection.execute(further).all()
                remove_deliveries(connection, rows)
            if not rows:
                return
            reached = rows[-1].created_at
            yield len(rows)

    # --- the archive's size ------------------------------------------------------------------

    def excess_events(self, most: int | None, most_bytes: int | None) -> tuple[int, int]:
        """By how many events, and by how many bytes of them, the archive is beyond these."""
        if most is None and most_bytes is None:
            return 0, 0
        with self._database.read() as connection:
            if most is not None and most_bytes is None and _at_most(connection) <= most:
                return 0, 0
            measured = select(func.count(), func.sum(_event.bytes)).select_from(schema.event)
            events, size = connection.execute(measured).one()
        over = max(0, events - most) if most is not None else 0
        over_bytes = max(0, int(size or 0) - most_bytes) if most_bytes is not None else 0
        return over, over_bytes

    def first_events(self, size: int) -> int:
        """How many of the events that were kept first hold so many bytes."""
        if size <= 0:
            return 0
        upto = func.sum(_event.bytes).over(order_by=_event.sequence)
        sums = select((upto - _event.bytes).label("below")).subquery()
        first = select(func.count()).select_from(sums).where(sums.c.below < size)
        with self._database.read() as connection:
            return int(connection.scalar(first) or 0)

    def prune_oldest_events(self, events: int, size: int, portion: int) -> Iterator[int]:
        """Remove the events that were kept first until so many, and so many bytes, are gone."""
        while events > 0 or size > 0:
            with self._database.write() as connection:
                rows = _first_kept(connection, min(portion, events) if size <= 0 else portion)
                if size > 0:
                    rows = _enough(rows, events, size)
                _remove_events(connection, rows)
            if not rows:
                return
            events -= len(rows)
            size -= sum(row.bytes for row in rows)
            yield len(rows)

    # --- whose turn it is --------------------------------------------------------------------

    def claim_pruning(self, holder: str, now: datetime, until: datetime) -> bool:
        """Take the round, if one is due; nobody else gets it until then."""
        due = or_(_pruning.due_at <= now, _pruning.due_at > now + _LONGEST_PUT_OFF)
        with self._database.read() as connection:
            if connection.execute(select(_pruning.id).where(due)).first() is None:
                return False
        taken = update(schema.pruning).where(due).values(holder=holder, due_at=until)
        with self._database.write() as connection:
            return bool(connection.execute(taken).rowcount)

    def hold_pruning(self, holder: str, until: datetime) -> bool:
        """Put off until then when the next round is due. False: another has the round now."""
        mine = _pruning.holder == holder
        with self._database.write() as connection:
            put_off = update(schema.pruning).where(mine).values(due_at=until)
            return bool(connection.execute(put_off).rowcount)


# --- portions --------------------------------------------------------------------------------


def _prune_firings(connection: Connection, before: datetime, portion: int) -> int:
    """Firings, and notifications that had no action to be delivered to."""
    key = (_firing.alarm_id, _firing.message_id)
    old = select(*key).where(_firing.fired_at < before).order_by(_firing.fired_at)
    rows = connection.execute(_held(old, portion)).all()
    pairs = [tuple(row) for row in rows]
    of_pair = (_notification.alarm_id, _notification.message_id)
    left = exists().where(_delivery.notification_id == _notification.notification_id)
    unsent = delete(schema.notification).where(among(connection, *of_pair), ~left)
    execute_given(connection, unsent, of_pair, pairs)
    forgotten = delete(schema.firing).where(among(connection, *key))
    execute_given(connection, forgotten, key, pairs)
    return len(rows)


def _prune_dead_letters(connection: Connection, before: datetime, portion: int) -> int:
    columns = (_delivery.delivery_id, _delivery.notification_id)
    old = select(*columns).where(*_OLD[Kept.DEAD_LETTERS][1](before))
    rows = connection.execute(_held(old.order_by(_delivery.finished_at), portion)).all()
    remove_deliveries(connection, rows)
    return len(rows)


def _prune_events(connection: Connection, before: datetime, portion: int) -> int:
    rows = [row for row in _first_kept(connection, portion) if row.received_at < before]
    _remove_events(connection, rows)
    return len(rows)


def _prune_first(
    table: Table, order: Column[Any], age: Column[datetime], key: Column[Any]
) -> Portion:
    """What is old of the rows that were written first: that order is nearly their age's."""

    def prune(connection: Connection, before: datetime, portion: int) -> int:
        first = _held(select(key, age.label("age")).order_by(order), portion)
        old = [row[0] for row in connection.execute(first) if row.age < before]
        if old:
            connection.execute(delete(table).where(key.in_(old)))
        return len(old)

    return prune


def _held(statement: Select[Any], portion: int) -> Select[Any]:
    """So many of the rows, held until they are removed; without those that another holds."""
    return statement.limit(portion).with_for_update(skip_locked=True)


_history, _rejected, _deleted, _change, _token = (
    schema.alarm_history.c,
    schema.rejected_event.c,
    schema.deleted_alarm.c,
    schema.change_history.c,
    schema.api_token.c,
)


def _ended(before: datetime) -> list[ColumnElement[bool]]:
    """Tokens that opened nothing any more at that time."""
    return [or_(_token.revoked_at < before, _token.expires_at < before)]


def _prune_tokens(connection: Connection, before: datetime, portion: int) -> int:
    old = connection.scalars(_held(select(_token.token_id).where(*_ended(before)), portion)).all()
    if old:
        connection.execute(delete(schema.api_token).where(_token.token_id.in_(old)))
    return len(old)


_PORTIONS: Mapping[Kept, Portion] = {
    Kept.DEAD_LETTERS: _prune_dead_letters,
    Kept.FIRINGS: _prune_firings,
    Kept.HISTORY: _prune_first(
        schema.alarm_history, _history.sequence, _history.timestamp, _history.sequence
    ),
    Kept.CHANGES: _prune_first(
        schema.change_history, _change.sequence, _change.timestamp, _change.sequence
    ),
    Kept.TOKENS: _prune_tokens,
    Kept.REJECTED: _prune_first(
        schema.rejected_event, _rejected.received_at, _rejected.received_at, _rejected.rejected_id
    ),
    Kept.DELETED_ALARMS: _prune_first(
        schema.deleted_alarm, _deleted.revision, _deleted.deleted_at, _deleted.alarm_id
    ),
    Kept.EVENTS: _prune_events,
}

_OLD: Mapping[Kept, tuple[Table, Callable[[datetime], list[ColumnElement[bool]]]]] = {
    Kept.DELIVERIES: (
        schema.delivery,
        # None is finished before it is made, and by that there is an index.
        lambda before: [
            _delivery.state.in_(("delivered", "digested")),
            _delivery.created_at < before,
            _delivery.finished_at < before,
        ],
    ),
    Kept.DEAD_LETTERS: (
        schema.delivery,
        lambda before: [_delivery.state == "dead", _delivery.finished_at < before],
    ),
    Kept.FIRINGS: (schema.firing, lambda before: [_firing.fired_at < before]),
    Kept.HISTORY: (schema.alarm_history, lambda before: [_history.timestamp < before]),
    Kept.CHANGES: (schema.change_history, lambda before: [_change.timestamp < before]),
    Kept.TOKENS: (schema.api_token, _ended),
    Kept.REJECTED: (schema.rejected_event, lambda before: [_rejected.received_at < before]),
    Kept.DELETED_ALARMS: (schema.deleted_alarm, lambda before: [_deleted.deleted_at < before]),
    Kept.EVENTS: (schema.event, lambda before: [_event.received_at < before]),
}


# --- events ----------------------------------------------------------------------------------


def _at_most(connection: Connection) -> int:
    """A bound for how many events there are, had from both ends of the table."""
    ends = select(func.min(_event.sequence), func.max(_event.sequence))
    first, last = connection.execute(ends).one()
    return 0 if first is None else int(last - first + 1)


def _first_kept(connection: Connection, portion: int) -> Sequence[Any]:
    columns = (_event.sequence, _event.received_at, _event.document, _event.bytes)
    return connection.execute(_held(select(*columns).order_by(_event.sequence), portion)).all()


def _enough(rows: Sequence[Any], events: int, size: int) -> Sequence[Any]:
    """The first rows, until so many and so many bytes are among them."""
    for count, row in enumerate(rows):
        if events <= count and size <= 0:
            return rows[:count]
        size -= row.bytes
    return rows


def _remove_events(connection: Connection, rows: Sequence[Any]) -> None:
    """Remove events with their traits, whose keys their documents tell."""
    if not rows:
        return
    traits = sorted(
        (trait["name"], trait["value"], trait["generated"], trait["sequence"])
        for row in rows
        for trait in trait_rows(Event.from_dict(from_json(row.document)), row.sequence)
    )
    if connection.dialect.name == "sqlite":
        _remove_traits_from_sqlite(connection, traits)
    else:
        _remove_traits_from_postgresql(connection, traits)
    these = [row.sequence for row in rows]
    connection.execute(delete(schema.event).where(_event.sequence.in_(these)))


def _remove_traits_from_sqlite(connection: Connection, traits: Sequence[tuple[Any, ...]]) -> None:
    sql = "DELETE FROM event_trait WHERE name = ? AND value = ? AND generated = ? AND sequence = ?"
    keys = [(name, value, instant_text(at), number) for name, value, at, number in traits]
    if keys:
        connection.exec_driver_sql(sql, keys)


def _remove_traits_from_postgresql(
    connection: Connection, traits: Sequence[tuple[Any, ...]]
) -> None:
    columns: tuple[ColumnClause[Any], ...] = (
        column("name", Text()),
        column("value", Text()),
        column("generated", TIMESTAMP(timezone=True)),
        column("sequence", BigInteger()),
    )
    arrays: list[ColumnElement[Any]] = [
        literal([trait[at] for trait in traits], ARRAY(c.type)) for at, c in enumerate(columns)
    ]
    gone = func.unnest(*arrays).table_valued(*columns).render_derived(name="gone")
    same = [c == gone.c[c.name] for c in schema.event_trait.c]
    connection.execute(delete(schema.event_trait).where(*same))
