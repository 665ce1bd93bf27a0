"""/v1/status: how much of everything there is, what wants a person, and what goes on."""

from __future__ import annotations

from pipeline.access import Permission
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.kept_schemas import CostlyOut, RecentOut, StatusOut
from pipeline.api.v1.schemas import page_of
from pipeline.desk import Document, Page


def blueprint() -> Blueprint:
    """The operations on the whole."""
    status = Blueprint(
        "status",
        __name__,
        description="The state of the whole. For who is held to no projects.",
    )

    @status.operation("GET", "/v1/status", Permission.AUDIT, gives=StatusOut)
    def show_status() -> Document:
        """Show how much of everything there is, and what wants a person"""
        return desk().status.counts()

    @status.operation("GET", "/v1/status/recent", Permission.AUDIT, gives=RecentOut)
    def show_recent() -> Document:
        """Show what goes on: the last five minutes, and what waits"""
        return desk().status.recent()

    @status.operation(
        "GET", "/v1/status/costly", Permission.AUDIT, gives=page_of(CostlyOut, "Costly")
    )
    def show_costly() -> Page:
        """Name the alarms that cost most to match; loads all alarms"""
        return Page(desk().status.costly())

    return status
