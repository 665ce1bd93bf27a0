"""Alarms, as requests (`desk.base.Alarms`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.desk import Document, Page
from pipeline.errors import Ambiguous, NotFound
from pipeline.remote.connection import Connection


class RemoteAlarms:
    """`desk.base.Alarms`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, document: Mapping[str, Any]) -> Document:
        """Make an alarm."""
        return self._connection.post("alarms", body=document)

    def create_many(self, documents: Sequence[Mapping[str, Any]]) -> list[Document]:
        """Make alarms, all of them or none."""
        made: list[Document] = self._connection.post(
            "alarms", "batch", body={"alarms": list(documents)}
        )["items"]
        return made

    def find(self, id_or_name: str) -> Document:
        """By id, else by name."""
        if "/" not in id_or_name and id_or_name not in ("batch", "."):
            return self._connection.get("alarms", id_or_name)
        # No part of a path: looked for by its name.
        found = self._connection.page("alarms", limit=None, filter=[f"name={id_or_name}"]).items
        if not found:
            raise NotFound(f"Alarm {id_or_name} not found")
        if len(found) > 1:
            ids = ", ".join(sorted(each["alarm_id"] for each in found))
            raise Ambiguous(f"more than one alarm is named '{id_or_name}'. Use an id: {ids}")
        return found[0]

    def search(
        self,
        filters: Mapping[str, Any] | None = None,
        query: str | None = None,
        sort: Sequence[tuple[str, str]] = (),
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """Alarms that equal every filter and meet the query, in order."""
        return self._connection.page(
            "alarms",
            limit=limit,
            marker=marker,
            filter=[f"{name}={_text(value)}" for name, value in (filters or {}).items()],
            query=query,
            sort=_steps(sort),
        )

    def update(
        self, alarm_id: str, changes: Mapping[str, Any], digest: str | None = None
    ) -> Document:
        """Change what is given, keep all else."""
        return self._connection.patch("alarms", alarm_id, body=changes, digest=digest)

    def delete(self, alarm_id: str, digest: str | None = None) -> None:
        """Delete an alarm; its history stays."""
        self._connection.delete("alarms", alarm_id, digest=digest)

    def set_state(self, alarm_id: str, state: str) -> Document:
        """Set the state by hand."""
        return self._connection.put("alarms", alarm_id, "state", body={"state": state})

    def history(
        self,
        alarm_id: str,
        limit: int | None = None,
        marker: str | None = None,
        sort: Sequence[tuple[str, str]] = (),
    ) -> Page:
        """What became of an alarm, the newest first."""
        return self._connection.page(
            "alarms", alarm_id, "history", limit=limit, marker=marker, sort=_steps(sort)
        )

    def search_history(
        self,
        query: str | None = None,
        sort: Sequence[tuple[str, str]] = (),
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """What became of all alarms that meets the query, the newest first."""
        return self._connection.page(
            "alarm-history", limit=limit, marker=marker, query=query, sort=_steps(sort)
        )

    def unknown_names(self, alarm_id: str) -> list[str]:
        """The alarm's actions that lead to what does not exist (yet)."""
        found: list[str] = self._connection.get("alarms", alarm_id, "unknown-names")["items"]
        return found


def _steps(sort: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{key}:{direction}" for key, direction in sort]


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
