"""The desk, matter by matter, as requests (`pipeline.desk.base.Desk`)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.desk.base import Desk, Document
from pipeline.remote.alarms import RemoteAlarms
from pipeline.remote.connection import Connection
from pipeline.remote.entries import RemoteEntries
from pipeline.remote.quotas import RemoteQuotas


class RemoteDesk:
    """`desk.base.Desk`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def alarms(self) -> RemoteAlarms:
        """Alarms, their states and histories."""
        return RemoteAlarms(self._connection)

    @cached_property
    def entries(self) -> RemoteEntries:
        """Targets, groups, filters and matchers."""
        return RemoteEntries(self._connection)

    @cached_property
    def quotas(self) -> RemoteQuotas:
        """How many alarms projects may have."""
        return RemoteQuotas(self._connection)

    def capabilities(self) -> Document:
        """What Aodh's API can do there."""
        return self._connection.get("capabilities")


if TYPE_CHECKING:

    def _is_a_desk(desk: RemoteDesk) -> Desk:
        return desk
