"""Places: where in the archive's indexes the events may be that a search wants.

Gathered from indexes alone, as (generated, sequence) pairs: where one condition leaves few, these;
else first the newest that one of them leaves, for often they meet the others too, then those that
all conditions have in common. What is found is a superset: the documents decide.

Makes statements. Called by `pipeline.store.sql.archive` alone, which reads the events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    except_,
    false,
    func,
    intersect,
    literal,
    select,
    tuple_,
    union,
    union_all,
)

from pipeline.alarms.conditions import glob
from pipeline.store import schema
from pipeline.store.archive import EventFilter, TraitFilter, comparisons
from pipeline.store.documents import storable_key
from pipeline.store.trait_keys import ranges, trait_key

_event, _trait = schema.event.c, schema.event_trait.c
_FEW = 1_000
_ONE_BY_ONE = 100
_PROJECT_TRAITS = ("project_id", "tenant_id")

Place = tuple[datetime, int]
"""(generated, sequence): where an event stands in the order."""
_Places = Select[tuple[datetime, int]]


class _Asked(NamedTuple):
    """What a condition leaves: the places in one or another of the parts.

    `in_order`: each part has them in their order in an index. A place in two parts counts twice,
    and is read once.
    """

    parts: list[_Places]
    in_order: bool = True


def page(
    connection: Connection, wanted: EventFilter, after: Place | None, hasty: bool
) -> Select[Any]:
    """The places of candidates beyond `after`, the last generated first.

    In haste these are all that one condition leaves, if its index has them in this order.
    """
    asked = [_with_trait(trait, wanted, after) for trait in wanted.traits]
    if wanted.event_type.strip("*"):
        places = _from_index(_event, wanted, after)
        asked.append(_of_types(connection, places, [wanted.event_type]))
    if wanted.projects is not None:
        asked.append(_of_projects(wanted.projects, wanted, after))
    if not asked:
        asked = [_Asked([_from_index(_event, wanted, after)])]
    asked = _most_telling(connection, asked)
    if hasty and len(asked) > 1:
        asked = next(([each] for each in asked if each.in_order), asked)
    found = _gathered(asked).subquery("place")
    return select(found).order_by(found.c.generated.desc(), found.c.sequence.desc())


def page_in_order(
    connection: Connection, wanted: EventFilter, types: Collection[str], after: Place | None
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


def _with_trait(trait: TraitFilter, wanted: EventFilter, after: Place | None) -> _Asked:
    """Where a value stands in the index that one of the comparisons may be true of."""
    named = _trait.name == storable_key(trait.name)
    keys = [
        keys for op, kind, constant in comparisons(trait) for keys in ranges(op, kind, constant)
    ]
    places = _from_index(_trait, wanted, after).where(named)
    parts = [places.where(_within(low, high)) for low, high in keys]
    return _Asked(parts, all(low == high for low, high in keys))


def _of_projects(projects: frozenset[str], wanted: EventFilter, after: Place | None) -> _Asked:
    """Where the traits that say whose an event is have the name of a project."""
    if not projects:
        return _Asked([_from_index(_trait, wanted, after).where(false())])
    parts: list[_Places] = []
    for name in _PROJECT_TRAITS:
        for project in sorted(projects):
            parts += _with_trait(TraitFilter(name, "eq", project), wanted, after).parts
    return _Asked(parts)


def belonging(projects: frozenset[str], wanted: EventFilter) -> Select[Any]:
    """The sequences of the events that belong to one of the projects, by the indexes alone: of
    the two traits the first that says something decides (`Event.project_id`)."""
    first, second = _PROJECT_TRAITS
    keys = {trait_key(project) for project in projects}
    keys |= {trait_key(int(project)) for project in projects if _is_integer(project)}
    of, value = _from_index(_trait, wanted, None), _trait.value
    said = of.where(_trait.name == first, value.in_(sorted(keys)))
    by_second = of.where(_trait.name == second, value.in_(sorted(keys)))
    decided = of.where(_trait.name == first, value.not_in([trait_key(""), trait_key(0)]))
    second_decides = select(except_(by_second, decided).subquery("second_decides"))
    return select(union(said, second_decides).subquery("belonging").c.sequence)


def _is_integer(text: str) -> bool:
    """Whether it is how an integer is written, so that a trait may be one."""
    return text.isdecimal() and text.isascii() and str(int(text[:99])) == text


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
    columns: Any, wanted: EventFilter, after: Place | None, *, oldest_first: bool = False
) -> _Places:
    """Places by an index of `event` or of `event_trait`, which both end with them."""
    generated, sequence = columns.generated, columns.sequence
    conditions = in_time(wanted, generated)
    if after is not None:
        here = tuple_(literal(after[0], generated.type), literal(after[1], sequence.type))
        place = tuple_(generated, sequence)
        if oldest_first:
            conditions += [generated >= after[0], place > here]
        else:
            conditions += [generated <= after[0], place < here]
    return select(generated, sequence).where(*conditions)


def in_time(wanted: EventFilter, generated: ColumnElement[datetime]) -> list[Any]:
    """What holds of the events that were generated when it is wanted."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(generated >= wanted.since)
    if wanted.until is not None:
        conditions.append(generated <= wanted.until)
    return conditions
