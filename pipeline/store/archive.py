"""The event archive: what may be asked of it, and whether an event answers a question.

Events come in by `store://` (`publishers.base.Archive`) and are kept once for each message id.
`pipeline.store.sql.archive` carries this out; its indexes find candidates, and `matches` decides.
The meaning of a comparison is that of alarms (`alarms.conditions`). Asked by `tocsin event`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from pipeline.alarms.alarm import ConditionValue
from pipeline.alarms.conditions import OPERATORS, Kind, clause, constant, glob
from pipeline.errors import InvalidValue
from pipeline.event import Event

_TYPES_BY_LOOK = (("string",), ("integer", "float"), ("datetime",))


@dataclass(frozen=True, slots=True)
class TraitFilter:
    """A trait that an event must have, compared with a value.

    `op` and `type` are those of an alarm's condition; without a type the value is read as
    whatever the trait is: `5` is a text to a text trait and a number to a number.
    """

    name: str
    op: str
    value: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: of a type (a shell glob), generated from `since` to `until`, with traits."""

    event_type: str = "*"
    since: datetime | None = None
    until: datetime | None = None
    traits: tuple[TraitFilter, ...] = ()


class Comparison(NamedTuple):
    """A trait filter's value as one kind of trait would read it."""

    op: str
    kind: Kind
    constant: ConditionValue


@lru_cache(maxsize=256)
def comparisons(wanted: TraitFilter) -> tuple[Comparison, ...]:
    """What an event's trait is compared with; one of them has to hold.

    Raises `InvalidValue` for an unknown operator or type, and a value that is not of its type.
    """
    if wanted.type:
        return (_comparison(wanted, wanted.type),)
    found = []
    for alternatives in _TYPES_BY_LOOK:
        for type_ in alternatives:
            clause("", wanted.op, type_)
            try:
                found.append(_comparison(wanted, type_))
            except InvalidValue:  # it does not look like one
                continue
            break
    return tuple(found)


def matches(wanted: EventFilter, event: Event) -> bool:
    """Whether it is one of these events. Raises `InvalidValue` as `comparisons` and `glob` do."""
    if wanted.since is not None and event.generated < wanted.since:
        return False
    if wanted.until is not None and event.generated > wanted.until:
        return False
    if not glob(wanted.event_type)(event.event_type):
        return False
    return all(_has(event, trait) for trait in wanted.traits)


def _comparison(wanted: TraitFilter, type_: str) -> Comparison:
    kind = clause(f"traits.{wanted.name}", wanted.op, type_).kind
    return Comparison(wanted.op, kind, constant(wanted.value, type_))


def _has(event: Event, wanted: TraitFilter) -> bool:
    value = event.values.get(wanted.name)
    for op, kind, expected in comparisons(wanted):
        taken = kind.take(value)
        if taken is not None and OPERATORS[op].compare(taken, expected):
            return True
    return False


# --- what people ask -------------------------------------------------------------------------


class EventType(NamedTuple):
    """A type of event in the archive: how many, and the times of the first and the last."""

    event_type: str
    events: int
    first: datetime
    last: datetime


class ArchivedEvents(Protocol):
    """What people ask of the archive."""

    def events(
        self, wanted: EventFilter, limit: int = 100, marker: str | None = None
    ) -> Sequence[Event]:
        """Events, the last generated first; after the one whose message id is the marker.

        Raises `InvalidValue` for a filter that makes no sense and an unknown marker.
        """

    def events_in_order(self, wanted: EventFilter, types: Collection[str]) -> Iterator[Event]:
        """All events that are wanted and of one of these types (shell globs), the first generated
        first; some at a time are in memory."""

    def archived_event(self, message_id: str) -> tuple[Event, datetime]:
        """One event, and when it was kept; a unique beginning of its id is enough.

        Raises `NotFound`, `Ambiguous`.
        """

    def fired_at(self, alarm_id: str, message_id: str) -> datetime | None:
        """When the event fired the alarm; None if it did not, or firings are kept less long."""

    def event_types(self, wanted: EventFilter) -> Sequence[EventType]:
        """The types of the events, by name. Traits are not looked at."""
