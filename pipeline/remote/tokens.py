"""API tokens, as requests (`desk.base.Tokens`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.desk import Document
from pipeline.remote.connection import Connection


class RemoteTokens:
    """`desk.base.Tokens`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, document: Mapping[str, Any]) -> Document:
        """Make one; the document has its secret besides."""
        return self._connection.post("tokens", body=document)

    def listed(self) -> list[Document]:
        """All that are kept, by name."""
        found: list[Document] = self._connection.get("tokens")["items"]
        return found

    def found(self, id_or_name: str) -> Document:
        """By id, else by name."""
        return self._connection.get("tokens", id_or_name)

    def revoke(self, id_or_name: str) -> list[Document]:
        """End a token, and all that were made with it."""
        ended: list[Document] = self._connection.delete("tokens", id_or_name)["items"]
        return ended
