"""The desk, matter by matter, as requests (`pipeline.desk.base.Desk`)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.desk.base import Desk, Document
from pipeline.remote.alarms import RemoteAlarms
from pipeline.remote.as_code import RemoteAsCode
from pipeline.remote.connection import Connection
from pipeline.remote.entries import RemoteEntries
from pipeline.remote.history import RemoteHistory
from pipeline.remote.kept import (
    RemoteDeadLetters,
    RemoteDeliveries,
    RemoteEvents,
    RemotePublications,
    RemoteRejectedEvents,
    RemoteStatus,
)
from pipeline.remote.notifications import RemoteNotifications
from pipeline.remote.quotas import RemoteQuotas
from pipeline.remote.routes import RemoteRoutes
from pipeline.remote.targets import RemoteTargets
from pipeline.remote.tokens import RemoteTokens
from pipeline.remote.trials import RemoteTrials


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

    @cached_property
    def targets(self) -> RemoteTargets:
        """Types of targets; targets tried, and told again."""
        return RemoteTargets(self._connection)

    @cached_property
    def routes(self) -> RemoteRoutes:
        """Where notifications go."""
        return RemoteRoutes(self._connection)

    @cached_property
    def notifications(self) -> RemoteNotifications:
        """Kinds, templates, and notifications of people's own."""
        return RemoteNotifications(self._connection)

    @cached_property
    def as_code(self) -> RemoteAsCode:
        """Everything as files."""
        return RemoteAsCode(self._connection)

    @cached_property
    def trials(self) -> RemoteTrials:
        """Alarms tried out on events."""
        return RemoteTrials(self._connection)

    @cached_property
    def deliveries(self) -> RemoteDeliveries:
        """Notifications on their way."""
        return RemoteDeliveries(self._connection)

    @cached_property
    def dead_letters(self) -> RemoteDeadLetters:
        """Deliveries that were given up."""
        return RemoteDeadLetters(self._connection)

    @cached_property
    def rejected_events(self) -> RemoteRejectedEvents:
        """Messages that were not understood."""
        return RemoteRejectedEvents(self._connection)

    @cached_property
    def publications(self) -> RemotePublications:
        """Events that a publisher did not take yet."""
        return RemotePublications(self._connection)

    @cached_property
    def events(self) -> RemoteEvents:
        """The archive."""
        return RemoteEvents(self._connection)

    @cached_property
    def status(self) -> RemoteStatus:
        """The state of the whole."""
        return RemoteStatus(self._connection)

    @cached_property
    def tokens(self) -> RemoteTokens:
        """API tokens."""
        return RemoteTokens(self._connection)

    @cached_property
    def history(self) -> RemoteHistory:
        """What people changed."""
        return RemoteHistory(self._connection)


if TYPE_CHECKING:

    def _is_a_desk(desk: RemoteDesk) -> Desk:
        return desk
