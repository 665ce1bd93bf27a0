"""Composites: who refers to whom, and composite alarms held against change.

**The order of locks**, for everybody:

1. the alarms' revision: only people take it, and only they change who refers to whom;
2. alarms that are no composites, by id: an event's, and those that a new reference leads to;
3. the row `Revision.COMPOSITES`, by whoever looks at composite alarms;
4. composite alarms.

So composites are looked at by one transaction at a time, and what another has made of one is seen
by the next. Alarms that nobody refers to pay nothing: whether one may be referred to stands in its
row (`referenced`), which is locked anyway, and is never taken back while it is no composite.

Called by the worker's transaction (`sql.intake`), and by what people do (`sql.alarms`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, update

from pipeline.alarms.alarm import COMPOSITE, Alarm, CompositeRule, State
from pipeline.alarms.composites import Composites, Referred
from pipeline.alarms.composition import rule_of
from pipeline.alarms.references import Directory, Known, may_refer, resolve
from pipeline.errors import Conflict, InvalidValue
from pipeline.store import schema
from pipeline.store.rows import alarm_from
from pipeline.store.sql.bulk import among, execute_given, insert_all, select_given
from pipeline.store.sql.revisions import Revision, hold_revision

_alarm, _reference = schema.alarm, schema.alarm_reference
_NAMED_AT_MOST = 10


class Named(NamedTuple):
    """An alarm as far as references to it are concerned."""

    alarm_id: str
    name: str
    project_id: str
    all_projects: bool


_NAMED = (_alarm.c.alarm_id, _alarm.c.name, _alarm.c.project_id, _alarm.c.all_projects)


# --- looking ---------------------------------------------------------------------------------


def lock_others(connection: Connection, ids: Collection[str]) -> tuple[dict[str, Alarm], set[str]]:
    """Those of the alarms that are no composites, locked, and the ids of those among them that
    may be referred to. Unknown ids: absent."""
    keys = [(alarm_id,) for alarm_id in sorted(ids)]
    besides = (_alarm.c.type, COMPOSITE)
    rows = select_given(connection, _alarm, (_alarm.c.alarm_id,), keys, lock=True, besides=besides)
    found = {row[0]: alarm_from(row) for row in rows}
    return found, {row[0] for row in rows if row[-1]}


def held_composites(
    connection: Connection, ids: Collection[str], changed: Collection[str]
) -> Composites:
    """The composites among `ids`, and all that refer to them or to one of `changed`, directly or
    through others. No other transaction looks at composites until this one ends."""
    hold_revision(connection, Revision.COMPOSITES)
    wanted = {*ids, *_above(connection, {*ids, *changed})}
    rows = select_given(connection, _alarm, (_alarm.c.alarm_id,), _keys(wanted))
    alarms = {alarm.alarm_id: alarm for alarm in map(alarm_from, rows) if alarm.type == COMPOSITE}
    referred = {each for alarm in alarms.values() for each in rule_of(alarm).references}
    columns = (_alarm.c.alarm_id, _alarm.c.name, _alarm.c.state)
    states = select_given(connection, columns, (_alarm.c.alarm_id,), _keys(referred))
    known = {row[0]: Referred(row[1], State(row[2])) for row in states}
    return Composites({each: alarms[each] for each in _bottom_up(alarms)}, known)


def _above(connection: Connection, ids: Collection[str]) -> set[str]:
    """The composites that refer to one of these, directly or through others."""
    found: set[str] = set()
    new = set(ids)
    while new:
        columns = (_reference.c.alarm_id,)
        rows = select_given(connection, columns, (_reference.c.refers_to,), _keys(new))
        new = {row[0] for row in rows} - found
        found |= new
    return found


def _bottom_up(alarms: Mapping[str, Alarm]) -> Iterable[str]:
    """The ids, each after those that its alarm refers to."""
    below = {
        alarm_id: [each for each in rule_of(alarm).references if each in alarms]
        for alarm_id, alarm in alarms.items()
    }
    return TopologicalSorter(below).static_order()


# --- people's changes ------------------------------------------------------------------------


def resolved(connection: Connection, alarm: Alarm, beside: Directory) -> Alarm:
    """The alarm, ids in place of the names in its rule; `beside` has the alarms that this
    transaction makes or changes. Raises `InvalidValue`."""
    if not isinstance(alarm.rule, CompositeRule) or not alarm.rule.references:
        return alarm
    texts = alarm.rule.references
    known: dict[str, Known] = {}
    for column in (_alarm.c.alarm_id, _alarm.c.name):
        rows = connection.execute(select(*_NAMED).where(column.in_(texts)))
        known.update((row.alarm_id, Named(*row)) for row in rows)
    known |= {each.alarm_id: each for text in texts for each in beside.meant(text)}
    # One that is changed here may no longer have the name by which it was found.
    return resolve(alarm, Directory(beside.by_id.get(id, each) for id, each in known.items()))


def note_referred(connection: Connection, ids: Collection[str]) -> None:
    """Note in those of the alarms that are no composites, which are held or new, that they may be
    referred to."""
    these = among(connection, _alarm.c.alarm_id)
    statement = update(_alarm).where(these, _alarm.c.type != COMPOSITE).values(referenced=True)
    execute_given(connection, statement, [_alarm.c.alarm_id], _keys(ids))


def write_references(connection: Connection, alarms: Sequence[Alarm]) -> None:
    """Put what these alarms refer to in the place of what they referred to."""
    forget_references(connection, [alarm.alarm_id for alarm in alarms])
    rows = [
        {"refers_to": each, "alarm_id": alarm.alarm_id}
        for alarm in alarms
        if isinstance(alarm.rule, CompositeRule)
        for each in alarm.rule.references
    ]
    insert_all(connection, _reference, rows)


def forget_references(connection: Connection, ids: Collection[str]) -> None:
    """These alarms refer to nothing any more."""
    key = _reference.c.alarm_id
    statement = delete(_reference).where(among(connection, key))
    execute_given(connection, statement, [key], _keys(ids))


def may_be_referred_to(connection: Connection, alarm: Alarm) -> bool:
    """Whether an alarm that is no composite is referred to."""
    found = select(_reference.c.alarm_id).where(_reference.c.refers_to == alarm.alarm_id)
    return alarm.type != COMPOSITE and connection.execute(found.limit(1)).first() is not None


def check_gone(connection: Connection, gone: Sequence[Alarm]) -> None:
    """Raise `Conflict` if one of these, which were deleted, is still referred to."""
    users = _referring(connection, [alarm.alarm_id for alarm in gone])
    for alarm in gone:
        if found := users.get(alarm.alarm_id):
            names = ", ".join(f"'{each.name}'" for each in found[:_NAMED_AT_MOST])
            more = ", …" if len(found) > _NAMED_AT_MOST else ""
            message = f"alarm '{alarm.name}' is referenced by {names}{more}"
            mend = "Delete these first, or take it out of their rules."
            raise Conflict(f"{message}. {mend}", "alarm_id")


def check_seen(connection: Connection, changed: Sequence[Alarm]) -> None:
    """Raise `Conflict` if who refers to one of these may not any more, as it has changed."""
    users = _referring(connection, [alarm.alarm_id for alarm in changed])
    for alarm in changed:
        for user in users.get(alarm.alarm_id, ()):
            if not may_refer(user, alarm):
                message = f"alarm '{alarm.name}' is referenced by '{user.name}'"
                where = f"project '{user.project_id}', which could not see it any more"
                raise Conflict(f"{message} of {where}", "project_id")


def check_no_cycle(connection: Connection, alarms: Sequence[Alarm]) -> None:
    """Raise `InvalidValue` if one of these refers to itself, be it through others."""
    new = {alarm.alarm_id for alarm in alarms}
    below: dict[str, list[str]] = {each: [] for each in new}
    while new:
        columns = (_reference.c.alarm_id, _reference.c.refers_to)
        for user, used in select_given(connection, columns, columns[:1], _keys(new)):
            below[user].append(used)
        new = {each for user in new for each in below.get(user, ())} - below.keys()
        below.update((each, []) for each in new)
    for alarm in alarms:
        if path := _way_back(alarm.alarm_id, below):
            raise InvalidValue(_cycle(connection, path), "composite_rule")


def _way_back(start: str, below: Mapping[str, Sequence[str]]) -> list[str]:
    """A way from an alarm to itself, both ends in it; [] if there is none."""
    came_from: dict[str, str] = {}
    waiting = [start]
    while waiting:
        here = waiting.pop()
        for there in sorted(below.get(here, ())):
            if there == start:
                path = [start]
                while here != start:
                    path.append(here)
                    here = came_from[here]
                return [start, *reversed(path)]
            if there not in came_from:
                came_from[there] = here
                waiting.append(there)
    return []


def _cycle(connection: Connection, path: Sequence[str]) -> str:
    columns = (_alarm.c.alarm_id, _alarm.c.name)
    rows = select_given(connection, columns, columns[:1], _keys(set(path)))
    names = {row[0]: row[1] for row in rows}
    shown = " → ".join(f"'{names[each]}'" for each in path)
    return f"composite_rule: the alarm would refer to itself: {shown}. Take one of these out."


def _referring(connection: Connection, ids: Collection[str]) -> dict[str, list[Any]]:
    """Who refers to each of these, by name."""
    joined = select(_reference.c.refers_to, *_NAMED).join_from(
        _reference, _alarm, _alarm.c.alarm_id == _reference.c.alarm_id
    )
    key = _reference.c.refers_to
    statement = joined.where(among(connection, key)).order_by(_alarm.c.name)
    found: dict[str, list[Any]] = {}
    for row in execute_given(connection, statement, [key], _keys(ids)):
        found.setdefault(row[0], []).append(row)
    return found


def _keys(ids: Iterable[str]) -> list[tuple[str]]:
    return [(each,) for each in sorted(ids)]
