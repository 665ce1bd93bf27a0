"""Rejected events at the desk: for who is held to no projects, as they belong to none."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from pipeline.access import Caller, Permission
from pipeline.desk.base import Document, Page, Parts
from pipeline.desk.choices import Ids, chosen
from pipeline.desk.paging import one_more, page
from pipeline.store.base import RejectedEvent
from pipeline.times import plain

_CUT = "its body was cut when it was stored; have it sent again"


class LocalRejectedEvents:
    """`desk.kept.RejectedEvents`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def search(self, limit: int | None = None, marker: str | None = None) -> Page:
        """Rejected events without headers and bodies, the newest first."""
        self._caller.require_all(Permission.AUDIT)
        found = self._parts.store.rejected(one_more(limit), marker, bodies=False)
        return page(found, limit, "rejected_id", rejected_document)

    def find(self, rejected_id: str) -> Document:
        """One, whole; a unique beginning of its id is enough."""
        self._caller.require_all(Permission.AUDIT)
        return whole_document(self._parts.store.rejected_event(rejected_id))

    def replay(self, which: Mapping[str, Any]) -> Document:
        """Take them in again, as the definitions are now."""
        self._caller.require_all(Permission.MANAGE)
        asked = chosen(which, Ids)["ids"]
        found = [self._parts.store.rejected_event(one) for one in asked]
        left = []
        for one in found:
            if reason := self._refusal(one):
                left.append({"rejected_id": one.rejected_id, "reason": reason})
            else:
                self._parts.store.forget_rejected(one.rejected_id, self._caller)
        return {"taken": len(found) - len(left), "left": left}

    def _refusal(self, one: RejectedEvent) -> str | None:
        return _CUT if one.truncated else self._parts.replay_rejected(one)


def rejected_document(one: RejectedEvent) -> Document:
    """A rejected event in a list."""
    return {
        "rejected_id": one.rejected_id,
        "reason": one.reason,
        "source": one.source,
        "received_at": plain(one.received_at),
        "content_type": one.content_type,
        "truncated": one.truncated,
    }


def whole_document(one: RejectedEvent) -> Document:
    """A rejected event with its headers and its body."""
    try:
        body, encoding = one.body.decode(), "text"
    except UnicodeDecodeError:
        body, encoding = b64encode(one.body).decode("ascii"), "base64"
    return {
        **rejected_document(one),
        "headers": dict(one.headers),
        "body": body,
        "body_encoding": encoding,
    }
