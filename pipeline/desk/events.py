"""The event archive at the desk: whose events are seen, and what their traits are.

Who is held to projects sees the events that belong to one of them (`Event.project_id`), as their
alarms do.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from pipeline.access import Caller, Permission
from pipeline.desk.base import MOST_AT_ONCE, Document, Page, Parts
from pipeline.desk.paging import one_more, page
from pipeline.errors import NotFound
from pipeline.event import Event, TraitType, TraitValue
from pipeline.registry import did_you_mean, one_of
from pipeline.store.archive import EventFilter
from pipeline.store.documents import from_json, to_json
from pipeline.times import plain

_Counted: TypeAlias = Mapping[tuple[str, str], Counter[TraitValue]]
"""By a trait's name and type: how often each value was seen."""


class LocalEvents:
    """`desk.kept.Events`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def search(
        self, wanted: EventFilter, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Events, the last generated first."""
        if limit is None:
            return self._all(wanted, marker)
        found = self._parts.store.events(self._theirs(wanted), one_more(limit) or 1, marker)
        return page(found, limit, "message_id", event_document)

    def find(self, message_id: str) -> Document:
        """One, and when it was kept; a unique beginning of its id is enough."""
        self._caller.require(Permission.AUDIT)
        found, received_at = self._parts.store.archived_event(message_id, self._caller.projects)
        return {**event_document(found, whole=True), "received_at": plain(received_at)}

    def types(self, wanted: EventFilter) -> list[Document]:
        """The types of the events, by name."""
        return [
            {
                "event_type": each.event_type,
                "events": each.events,
                "first": plain(each.first),
                "last": plain(each.last),
            }
            for each in self._parts.store.event_types(self._theirs(wanted))
        ]

    def traits(
        self,
        event_type: str,
        name: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1_000,
    ) -> list[Document]:
        """The traits of the newest events of a type, or one trait's values."""
        wanted = self._theirs(EventFilter(event_type, since, until))
        found = self._parts.store.events(wanted, limit)
        if not found:
            raise NotFound(self._none_of(event_type))
        counted = _counted(found)
        if name is None:
            return [_trait(*each, seen) for each, seen in counted.items()]
        values = [
            (kind, value, count)
            for (each, kind), seen in counted.items()
            for value, count in seen.items()
            if each == name
        ]
        if not values:
            known = sorted({each for each, _ in counted})
            raise NotFound(f"no {event_type} has the trait {name!r}. {one_of(name, known)}")
        values.sort(key=lambda each: (-each[2], str(each[1])))
        return [{"type": k, "value": trait_value(v), "events": count} for k, v, count in values]

    def _theirs(self, wanted: EventFilter) -> EventFilter:
        self._caller.require(Permission.AUDIT)
        return replace(wanted, projects=self._caller.projects)

    def _all(self, wanted: EventFilter, marker: str | None) -> Page:
        """The whole list, read part by part."""
        documents: list[Document] = []
        while True:
            part = self.search(wanted, MOST_AT_ONCE, marker)
            documents += part.items
            if (marker := part.marker) is None:
                return Page(documents)

    def _none_of(self, event_type: str) -> str:
        known = [each["event_type"] for each in self.types(EventFilter())]
        hint = did_you_mean(event_type, known) or " See which there are with: tocsin event types"
        return f"no event of type {event_type!r} is in the archive, or not in this time.{hint}"


def event_document(event: Event, *, whole: bool = False) -> Document:
    """An event in its wire form; `raw` only where it is asked for as a whole."""
    traits = [[n, int(event.types[n]), trait_value(v)] for n, v in event.values.items()]
    document = {**event.as_dict(), "traits": traits, "raw": from_json(to_json(dict(event.raw)))}
    if not whole:
        del document["raw"]
    return document


def event_of(document: Mapping[str, Any]) -> Event:
    """The event of a document that `event_document` made, floats that JSON cannot say too."""
    traits = [
        (name, dtype, float(value) if (dtype, type(value)) == (TraitType.FLOAT, str) else value)
        for name, dtype, value in document["traits"]
    ]
    return Event.from_dict({**document, "traits": traits})


def trait_value(value: TraitValue) -> str | int | float:
    """A value as JSON can say it: times as text, and floats that are no numbers."""
    match value:
        case datetime():
            return str(plain(value))
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
        case _:
            return value


def _counted(found: Sequence[Event]) -> _Counted:
    """How often each value of each trait, told apart by its type, was seen."""
    counted: dict[tuple[str, str], Counter[TraitValue]] = {}
    for one in found:
        for name, value in one.values.items():
            kind = one.types[name].name.lower()
            counted.setdefault((name, kind), Counter())[value] += 1
    return dict(sorted(counted.items()))


def _trait(name: str, kind: str, seen: Counter[TraitValue]) -> Document:
    ((example, _),) = seen.most_common(1)
    return {
        "name": name,
        "type": kind,
        "events": seen.total(),
        "values": len(seen),
        "example": trait_value(example),
    }
