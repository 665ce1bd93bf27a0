"""Targets, groups, filters and matchers, as requests (`desk.base.Entries`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pipeline.desk import Document
from pipeline.remote.connection import Connection


class RemoteEntries:
    """`desk.base.Entries`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def listed(self, kind: str) -> list[Document]:
        """All of a kind, by name."""
        found: list[Document] = self._connection.get(f"{kind}s")["items"]
        return found

    def found(self, kind: str, name: str) -> Document:
        """The one of this name."""
        return self._connection.get(f"{kind}s", name)

    def create(self, kind: str, document: Mapping[str, Any]) -> Document:
        """Make one."""
        return self._connection.post(f"{kind}s", body=document)

    def update(
        self,
        kind: str,
        name: str,
        changes: Mapping[str, Any],
        unset: Collection[str] = (),
        digest: str | None = None,
    ) -> Document:
        """Change what is given, unset what is named."""
        return self._connection.patch(
            f"{kind}s", name, body=changes, digest=digest, unset=list(unset)
        )

    def delete(self, kind: str, name: str, digest: str | None = None) -> None:
        """Take one away; a modified built-in becomes what it was."""
        self._connection.delete(f"{kind}s", name, digest=digest)
