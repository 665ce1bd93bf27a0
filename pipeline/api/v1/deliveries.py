"""/v1/deliveries and /v1/dead-letters: what was told, to whom, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.access import Permission
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.kept_schemas import (
    STATES,
    AttemptOut,
    CountOut,
    DeliveryOut,
    WholeDeliveryOut,
    asked,
)
from pipeline.api.v1.schemas import PageQuery, page_of
from pipeline.desk import Document, Page
from pipeline.desk.kept import DeliveryFilter
from pipeline.notification import OUTCOME_NAMES


class _DeadLettersQuery(PageQuery):
    alarm = asked("Only of this alarm: its id or name.")
    event = asked("Only those that this event caused: its message id.")
    action = asked("Only to this action, as the alarm has it.")
    receiver = asked("Only to this server, whatever the path: `https://host:port`.")
    outcome = asked("Only those with an attempt that ended so.", *OUTCOME_NAMES)
    digest = asked("Only those that this digest tells of: its delivery id.")


class _DeliveriesQuery(_DeadLettersQuery):
    state = asked("Only in this state.", *STATES)


_Deliveries = page_of(DeliveryOut, "Deliveries")


def blueprints() -> list[Blueprint]:
    """The operations on deliveries, and on dead letters."""
    return [_deliveries(), _dead_letters()]


def _deliveries() -> Blueprint:
    deliveries = Blueprint(
        "deliveries", __name__, description="Notifications on their way, attempt by attempt."
    )

    @deliveries.operation(
        "GET",
        "/v1/deliveries",
        Permission.AUDIT,
        query=_DeliveriesQuery,
        gives=_Deliveries,
        problems=(404, 409),
    )
    def list_deliveries(query: Mapping[str, Any]) -> Page:
        """List deliveries, the newest first"""
        return desk().deliveries.search(_filter(query), query["limit"], query["marker"])

    @deliveries.operation(
        "GET", "/v1/deliveries/<delivery>", Permission.AUDIT, gives=WholeDeliveryOut
    )
    def show_delivery(delivery: str) -> Document:
        """Show a delivery with what it tells and its attempts"""
        return desk().deliveries.find(delivery)

    @deliveries.operation(
        "GET",
        "/v1/deliveries/<delivery>/attempts",
        Permission.AUDIT,
        gives=page_of(AttemptOut, "Attempts"),
    )
    def list_attempts(delivery: str) -> Page:
        """List a delivery's attempts, in their order"""
        return Page(desk().deliveries.find(delivery)["attempts"])

    return deliveries


def _dead_letters() -> Blueprint:
    dead = Blueprint(
        "dead-letters", __name__, description="Deliveries that were given up: replay or purge."
    )

    @dead.operation(
        "GET",
        "/v1/dead-letters",
        Permission.AUDIT,
        query=_DeadLettersQuery,
        gives=_Deliveries,
        problems=(404, 409),
    )
    def list_dead_letters(query: Mapping[str, Any]) -> Page:
        """List dead letters, the newest first"""
        return desk().dead_letters.search(_filter(query), query["limit"], query["marker"])

    @dead.operation("GET", "/v1/dead-letters/<delivery>", Permission.AUDIT, gives=WholeDeliveryOut)
    def show_dead_letter(delivery: str) -> Document:
        """Show a dead letter with what it tells and its attempts"""
        return desk().dead_letters.find(delivery)

    @dead.operation(
        "POST",
        "/v1/dead-letters/replay",
        Permission.MANAGE,
        body="DeadLettersToReplay",
        gives=CountOut,
        problems=(404,),
    )
    def replay_dead_letters(body: Mapping[str, Any]) -> Document:
        """Make dead letters due again, their actions enabled"""
        return {"count": desk().dead_letters.replay(body)}

    @dead.operation(
        "POST",
        "/v1/dead-letters/purge",
        Permission.MODIFY,
        body="DeadLettersToPurge",
        gives=CountOut,
        problems=(404,),
    )
    def purge_dead_letters(body: Mapping[str, Any]) -> Document:
        """Delete dead letters for good"""
        return {"count": desk().dead_letters.purge(body)}

    return dead


def _filter(query: Mapping[str, Any]) -> DeliveryFilter:
    return DeliveryFilter(
        **{name: value for name, value in query.items() if name not in ("limit", "marker")}
    )
