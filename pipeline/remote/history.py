"""What people changed, as requests (`desk.base.History`)."""

from __future__ import annotations

from datetime import datetime

from pipeline.desk import Page
from pipeline.remote.connection import Connection


class RemoteHistory:
    """`desk.base.History`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def changes(
        self,
        kind: str | None = None,
        name: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """The newest first: of this kind and name, from that time on."""
        return self._connection.page(
            "history",
            limit=limit,
            marker=marker,
            kind=kind,
            name=name,
            since=since.isoformat() if since else None,
        )
