"""/v1/alarms: alarms, their states and histories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from pipeline.access import Permission
from pipeline.alarms.filters import filters_of, sort_of
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.schemas import (
    AlarmOut,
    AlarmsIn,
    HistoryOut,
    NamesOut,
    PageQuery,
    StateDocument,
    about,
    loaded,
    page_of,
)
from pipeline.desk import Document, Page


class _HistoryQuery(PageQuery):
    sort = fields.List(
        fields.String(),
        load_default=list,
        **about("`field:asc` or `field:desc`; the next settles ties. The newest first."),
    )


class _AllHistoryQuery(_HistoryQuery):
    query = fields.String(
        load_default=None,
        **about("Only lines for which this holds: `type=deletion and user=ops`."),
    )


class _AlarmsQuery(PageQuery):
    filter = fields.List(
        fields.String(),
        load_default=list,
        **about("`field=value`: only alarms that have it. May be given several times."),
    )
    query = fields.String(
        load_default=None,
        **about("Only alarms for which this holds: `severity=critical and not state=ok`."),
    )
    sort = fields.List(
        fields.String(),
        load_default=list,
        **about("`field:asc` or `field:desc`; the next settles ties. The newest first."),
    )


_Alarms = page_of(AlarmOut, "Alarms")
_History = page_of(HistoryOut, "History")


def blueprint() -> Blueprint:
    """The operations on alarms."""
    alarms = Blueprint("alarms", __name__, description="Alarms, their states and histories.")
    _add_alarms(alarms)
    _add_one_alarm(alarms)
    _add_states(alarms)
    return alarms


def _add_alarms(alarms: Blueprint) -> None:
    @alarms.operation(
        "GET",
        "/v1/alarms",
        Permission.AUDIT,
        query=_AlarmsQuery,
        gives=_Alarms,
    )
    def list_alarms(query: Mapping[str, Any]) -> Page:
        """List alarms"""
        return desk().alarms.search(
            filters_of(query["filter"]),
            query["query"],
            sort_of(query["sort"]),
            query["limit"],
            query["marker"],
        )

    @alarms.operation(
        "POST", "/v1/alarms", Permission.MODIFY, body="AlarmIn", gives=AlarmOut, status=201
    )
    def create_alarm(body: Mapping[str, Any]) -> Document:
        """Make an alarm"""
        return desk().alarms.create(body)

    @alarms.operation(
        "POST",
        "/v1/alarms/batch",
        Permission.MODIFY,
        body="AlarmsIn",
        gives=_Alarms,
        status=201,
    )
    def create_alarms(body: Mapping[str, Any]) -> Page:
        """Make several alarms, all of them or none"""
        return Page(desk().alarms.create_many(loaded(AlarmsIn, body)["alarms"]))


def _add_one_alarm(alarms: Blueprint) -> None:
    @alarms.operation("GET", "/v1/alarms/<alarm>", Permission.AUDIT, gives=AlarmOut)
    def show_alarm(alarm: str) -> Document:
        """Show an alarm, by its id or name"""
        return desk().alarms.find(alarm)

    @alarms.operation(
        "PATCH",
        "/v1/alarms/<alarm>",
        Permission.MODIFY,
        body="AlarmIn",
        gives=AlarmOut,
        digest=True,
    )
    def change_alarm(alarm: str, body: Mapping[str, Any], digest: str | None) -> Document:
        """Change what is given of an alarm"""
        return desk().alarms.update(alarm, body, digest)

    @alarms.operation("DELETE", "/v1/alarms/<alarm>", Permission.MODIFY, digest=True)
    def delete_alarm(alarm: str, digest: str | None) -> None:
        """Delete an alarm; its history stays"""
        desk().alarms.delete(alarm, digest)

    @alarms.operation("GET", "/v1/alarms/<alarm>/unknown-names", Permission.AUDIT, gives=NamesOut)
    def show_unknown_names(alarm: str) -> Document:
        """List the actions that lead to a target or group which does not exist"""
        return {"items": desk().alarms.unknown_names(alarm)}


def _add_states(alarms: Blueprint) -> None:
    @alarms.operation(
        "PUT",
        "/v1/alarms/<alarm>/state",
        Permission.MANAGE,
        body="State",
        gives=StateDocument,
    )
    def set_state(alarm: str, body: Mapping[str, Any]) -> Document:
        """Set an alarm's state by hand"""
        return {"state": desk().alarms.set_state(alarm, body.get("state", ""))["state"]}

    @alarms.operation(
        "GET",
        "/v1/alarms/<alarm>/history",
        Permission.AUDIT,
        query=_HistoryQuery,
        gives=_History,
    )
    def show_history(alarm: str, query: Mapping[str, Any]) -> Page:
        """List what became of an alarm, newest first; by its id, also of a deleted one"""
        sort = sort_of(query["sort"])
        return desk().alarms.history(alarm, query["limit"], query["marker"], sort)

    @alarms.operation(
        "GET", "/v1/alarm-history", Permission.AUDIT, query=_AllHistoryQuery, gives=_History
    )
    def search_history(query: Mapping[str, Any]) -> Page:
        """List what became of all alarms, newest first"""
        return desk().alarms.search_history(
            query["query"], sort_of(query["sort"]), query["limit"], query["marker"]
        )
