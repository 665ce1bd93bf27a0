"""Quotas, as requests (`desk.base.Quotas`)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.desk import Document
from pipeline.remote.connection import Connection


class RemoteQuotas:
    """`desk.base.Quotas`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def found(self, project_id: str | None = None) -> Document:
        """The project's quotas, or the caller's own."""
        return self._connection.get("quotas", project_id=project_id)

    def update(self, project_id: str, quotas: Mapping[str, int]) -> Document:
        """Set these of the project."""
        given = [{"resource": resource, "limit": limit} for resource, limit in quotas.items()]
        return self._connection.put("quotas", body={"project_id": project_id, "quotas": given})

    def delete(self, project_id: str) -> None:
        """Let the defaults hold again for a project."""
        self._connection.delete("quotas", project_id=project_id)
