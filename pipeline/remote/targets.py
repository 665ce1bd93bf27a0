"""Types of targets, and targets at work, as requests (`desk.base.Targets`)."""

from __future__ import annotations

from pipeline.desk import Document
from pipeline.dispatch import named
from pipeline.past import Reference
from pipeline.remote.connection import Connection
from pipeline.remote.references import sent


class RemoteTargets:
    """`desk.base.Targets`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def types(self) -> list[str]:
        """The types that a target may have, by name."""
        return [each["type"] for each in self._connection.get("target-types")["items"]]

    def options(self, type: str) -> list[Document]:
        """A type's options."""
        found: list[Document] = self._connection.get("target-types", type, "options")["items"]
        return found

    def test(self, name: str, of: Reference | None = None) -> Document:
        """Tell a target something now, and what came of it."""
        return self._connection.post("targets", name, "test", body=sent(of))

    def enable(self, receiver: str) -> Document:
        """Tell somebody again who was disabled or is spared."""
        name = named(receiver, "target") if ":" in receiver else receiver
        if name is not None and "/" not in name:
            return self._connection.post("targets", name, "enable")
        return self._connection.post("receivers", "enable", body={"receiver": receiver})
