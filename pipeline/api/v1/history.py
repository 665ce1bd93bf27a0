"""/v1/history: what people changed, and who did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from marshmallow import fields

from pipeline.access import Permission
from pipeline.api.v1.access_schemas import ChangeLineOut
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.schemas import PageQuery, about, page_of
from pipeline.desk import Page


class _HistoryQuery(PageQuery):
    kind = fields.String(
        load_default=None, **about("Only of this kind: target, group, filter, matcher, token, …")
    )
    name = fields.String(load_default=None, **about("Only of what has this name."))
    since = fields.AwareDateTime(
        "iso", default_timezone=UTC, load_default=None, **about("Only from that time on.")
    )


def blueprint() -> Blueprint:
    """The operation on the history."""
    history = Blueprint("history", __name__, description="What people changed, and who did.")

    @history.operation(
        "GET",
        "/v1/history",
        Permission.AUDIT,
        query=_HistoryQuery,
        gives=page_of(ChangeLineOut, "Changes"),
    )
    def list_changes(query: Mapping[str, Any]) -> Page:
        """List what was changed, newest first; alarms have histories of their own"""
        return desk().history.changes(
            query["kind"], query["name"], query["since"], query["limit"], query["marker"]
        )

    return history
