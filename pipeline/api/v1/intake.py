"""/v1/rejected-events and /v1/publications: what did not get in, and what did not get on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.access import Permission
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.kept_schemas import (
    CountOut,
    PublicationOut,
    RejectedEventOut,
    ReplayedOut,
    WholePublicationOut,
    WholeRejectedEventOut,
    asked,
)
from pipeline.api.v1.schemas import PageQuery, page_of
from pipeline.desk import Document, Page


class _PublicationsQuery(PageQuery):
    publisher = asked("Only of this publisher, as the list or the pipelines file shows it.")


def blueprints() -> list[Blueprint]:
    """The operations on rejected events, and on publications."""
    return [_rejected_events(), _publications()]


def _rejected_events() -> Blueprint:
    rejected = Blueprint(
        "rejected-events",
        __name__,
        description="Messages that were not understood. For who is held to no projects.",
    )

    @rejected.operation(
        "GET",
        "/v1/rejected-events",
        Permission.AUDIT,
        query=PageQuery,
        gives=page_of(RejectedEventOut, "RejectedEvents"),
    )
    def list_rejected_events(query: Mapping[str, Any]) -> Page:
        """List rejected events, the newest first"""
        return desk().rejected_events.search(query["limit"], query["marker"])

    @rejected.operation(
        "GET",
        "/v1/rejected-events/<rejected>",
        Permission.AUDIT,
        gives=WholeRejectedEventOut,
        problems=(409,),
    )
    def show_rejected_event(rejected: str) -> Document:
        """Show a rejected event with its body, by a unique beginning of its id"""
        return desk().rejected_events.find(rejected)

    @rejected.operation(
        "POST",
        "/v1/rejected-events/replay",
        Permission.MANAGE,
        body="RejectedEventsToReplay",
        gives=ReplayedOut,
        problems=(404,),
    )
    def replay_rejected_events(body: Mapping[str, Any]) -> Document:
        """Take rejected events in again, as the definitions are now"""
        return desk().rejected_events.replay(body)

    return rejected


def _publications() -> Blueprint:
    publications = Blueprint(
        "publications",
        __name__,
        description="Events that a publisher did not take yet. For who is held to no projects.",
    )

    @publications.operation(
        "GET",
        "/v1/publications",
        Permission.AUDIT,
        query=_PublicationsQuery,
        gives=page_of(PublicationOut, "Publications"),
    )
    def list_publications(query: Mapping[str, Any]) -> Page:
        """List publications, the oldest first"""
        return desk().publications.search(query["publisher"], query["limit"], query["marker"])

    @publications.operation(
        "GET",
        "/v1/publications/<publication>",
        Permission.AUDIT,
        gives=WholePublicationOut,
        problems=(409,),
    )
    def show_publication(publication: str) -> Document:
        """Show a publication with its events, by a unique beginning of its id"""
        return desk().publications.find(publication)

    @publications.operation(
        "POST",
        "/v1/publications/replay",
        Permission.MANAGE,
        body="PublicationsChoice",
        gives=CountOut,
        problems=(404,),
    )
    def replay_publications(body: Mapping[str, Any]) -> Document:
        """Have publications tried now, by the listeners that run"""
        return {"count": desk().publications.replay(body)}

    @publications.operation(
        "POST",
        "/v1/publications/purge",
        Permission.MODIFY,
        body="PublicationsChoice",
        gives=CountOut,
        problems=(404,),
    )
    def purge_publications(body: Mapping[str, Any]) -> Document:
        """Delete publications for good, their events too"""
        return {"count": desk().publications.purge(body)}

    return publications
