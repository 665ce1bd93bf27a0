"""The history of what people changed, at the desk: who may look at it.

It belongs to no project: whoever is held to projects sees none of it. Whoever is held to names
sees what was done to these.
"""

from __future__ import annotations

from datetime import datetime

from pipeline.access import Caller, Permission
from pipeline.desk.base import Document, Page, Parts
from pipeline.errors import InvalidValue
from pipeline.store.access import ChangeEntry
from pipeline.times import plain, utc


class LocalHistory:
    """`desk.base.History`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def changes(
        self,
        kind: str | None = None,
        name: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """The newest first: of this kind and name, from that time on."""
        self._caller.require_all(Permission.AUDIT)
        if kind == "alarm":
            raise InvalidValue(
                "alarms have histories of their own: tocsin alarm history ALARM, or "
                "/v1/alarms/ALARM/history.",
                "kind",
            )
        since = utc(since, "since") if since else None
        most = None if limit is None else limit + 1
        found = self._parts.store.changes(
            kind, name, since, _sequence(marker), most, self._caller.names
        )
        items = [change_document(entry) for entry in found[:limit]]
        return Page(items, items[-1]["change_id"] if len(found) > len(items) else None)


def change_document(entry: ChangeEntry) -> Document:
    """A change as the desk tells of it."""
    change = entry.change
    return {
        "change_id": str(entry.sequence),
        "timestamp": plain(entry.timestamp),
        "user_id": entry.user_id,
        "project_id": entry.project_id,
        "kind": change.kind,
        "name": change.name,
        "action": change.action.value,
        "changed": {
            key: {"before": was, "after": is_} for key, (was, is_) in change.changed.items()
        },
    }


def _sequence(marker: str | None) -> int | None:
    if marker is None:
        return None
    # What a BIGINT holds.
    if not (marker.isascii() and marker.isdecimal()) or len(marker) > 18:
        raise InvalidValue(f"marker: there is no change {marker!r}", "marker")
    return int(marker)
