"""/v1/events, /v1/event-types, /v1/event-traits: the archive, to be looked at.

Events are not taken in here: that is the HTTP listener's (`pipeline.listeners.http`), on a port
and with credentials of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from pipeline.access import Permission
from pipeline.alarms.queries import conditions
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.kept_schemas import (
    ArchivedEventOut,
    EventOut,
    EventTypeOut,
    TraitOut,
    TraitsQuery,
    TypesQuery,
)
from pipeline.api.v1.schemas import PageQuery, about, page_of
from pipeline.desk import Document, Page
from pipeline.errors import InvalidValue
from pipeline.store.archive import EventFilter, trait_filters


class _EventsQuery(TypesQuery, PageQuery):
    trait = fields.List(
        fields.String(),
        load_default=list,
        **about(
            "`host=compute-1`, `vcpus>=integer::4`: only with this trait. Operators: = != < <= > "
            ">=. May be given several times."
        ),
    )


def blueprint() -> Blueprint:
    """The operations on the archive."""
    events = Blueprint(
        "events",
        __name__,
        description="The archive: events that a sink `store://` has kept. To be looked at; new "
        "ones are taken by the HTTP listener, on its own port.",
    )
    _add_events(events)
    _add_summaries(events)
    return events


def _add_events(events: Blueprint) -> None:
    @events.operation(
        "GET",
        "/v1/events",
        Permission.AUDIT,
        query=_EventsQuery,
        gives=page_of(EventOut, "Events"),
    )
    def list_events(query: Mapping[str, Any]) -> Page:
        """List events, the last generated first"""
        wanted = EventFilter(
            query["type"], query["since"], query["until"], _traits(query["trait"])
        )
        return desk().events.search(wanted, query["limit"], query["marker"])

    @events.operation(
        "GET",
        "/v1/events/<text:event>",
        Permission.AUDIT,
        gives=ArchivedEventOut,
        problems=(409,),
    )
    def show_event(event: str) -> Document:
        """Show an event, by a unique beginning of its message id"""
        return desk().events.find(event)


def _add_summaries(events: Blueprint) -> None:
    @events.operation(
        "GET",
        "/v1/event-types",
        Permission.AUDIT,
        query=TypesQuery,
        gives=page_of(EventTypeOut, "EventTypes"),
    )
    def list_event_types(query: Mapping[str, Any]) -> Page:
        """List the types of the events, with how many there are"""
        wanted = EventFilter(query["type"], query["since"], query["until"])
        return Page(desk().events.types(wanted))

    @events.operation(
        "GET",
        "/v1/event-traits",
        Permission.AUDIT,
        query=TraitsQuery,
        gives=page_of(TraitOut, "Traits"),
        problems=(404,),
    )
    def list_event_traits(query: Mapping[str, Any]) -> Page:
        """List the traits of the newest events of a type, or the values of one trait"""
        found = desk().events.traits(
            query["type"], query["name"], query["since"], query["until"], query["limit"]
        )
        return Page(found)


def _traits(texts: list[str]) -> Any:
    try:
        return tuple(trait_filters(each for text in texts for each in conditions(text)))
    except InvalidValue as error:
        # Its example is of an alarm's query.
        reason = str(error).partition(" Write --query")[0]
        raise InvalidValue(f"trait: {reason} Write host=compute-1.", "trait") from error
