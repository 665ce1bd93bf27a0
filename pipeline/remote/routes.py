"""Where notifications go, as requests (`desk.base.Routes`)."""

from __future__ import annotations

from pipeline.desk import Document
from pipeline.past import Reference
from pipeline.remote.connection import Connection
from pipeline.remote.references import sent


class RemoteRoutes:
    """`desk.base.Routes`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def explain(self, of: Reference, alarm: str | None = None) -> Document:
        """Who would be told, and why not the others."""
        asked = {"alarm": alarm} if alarm else {}
        return self._connection.post("routes", "explain", body={**sent(of), **asked})

    def fields(self) -> list[Document]:
        """The fields that matchers can look at."""
        found: list[Document] = self._connection.get("matcher-fields")["items"]
        return found

    def values(self, field: str | None = None) -> list[Document]:
        """Values that fields had lately."""
        found: list[Document] = self._connection.get("matcher-field-values", field=field)["items"]
        return found
