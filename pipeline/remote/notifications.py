"""Kinds, templates and notifications of people's own, as requests (`desk.base.Notifications`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pipeline.desk import Document
from pipeline.past import Reference
from pipeline.remote.connection import Connection
from pipeline.remote.references import sent

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class RemoteNotifications:
    """`desk.base.Notifications`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def kinds(self) -> list[Document]:
        """All kinds; those of people's own last."""
        found: list[Document] = self._connection.get("kinds")["items"]
        return found

    def kind(self, id: str) -> Document:
        """One kind."""
        return self._connection.get("kinds", id)

    def templates(self) -> list[Document]:
        """Where each kind's words come from."""
        found: list[Document] = self._connection.get("templates")["items"]
        return found

    def preview(
        self,
        kind: str,
        format: str = "text",
        *,
        of: Reference | None = None,
        alarm: str | None = None,
        fields: Mapping[str, Any] = _NONE,
        severity: str | None = None,
    ) -> Document:
        """What a notification says."""
        asked = {
            "kind": kind,
            "format": format,
            "alarm": alarm,
            "fields": dict(fields),
            "severity": severity,
            **sent(of),
        }
        return self._connection.post("templates", "preview", body=asked)

    def send(
        self,
        kind: str,
        fields: Mapping[str, Any],
        severity: str | None = None,
        to: Sequence[str] = (),
    ) -> Document:
        """Send one, and where it goes."""
        asked = {
            "kind": kind,
            "fields": dict(fields),
            "severity": severity,
            "targets": list(to),
        }
        return self._connection.post("notifications", body=asked)
