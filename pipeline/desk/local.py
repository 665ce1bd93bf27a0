"""The desk on the database of this machine, for one caller.

Made for each command, and by the API for each request. Nothing is opened before it is asked for.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.access import LOCAL, Caller
from pipeline.desk.alarms import LocalAlarms
from pipeline.desk.as_code import LocalAsCode
from pipeline.desk.base import Desk, Document, Parts
from pipeline.desk.capabilities import CAPABILITIES
from pipeline.desk.deliveries import LocalDeadLetters, LocalDeliveries
from pipeline.desk.entries import LocalEntries
from pipeline.desk.events import LocalEvents
from pipeline.desk.history import LocalHistory
from pipeline.desk.notifications import LocalNotifications
from pipeline.desk.publications import LocalPublications
from pipeline.desk.quotas import LocalQuotas
from pipeline.desk.rejected import LocalRejectedEvents
from pipeline.desk.routes import LocalRoutes
from pipeline.desk.status import LocalStatus
from pipeline.desk.targets import LocalTargets
from pipeline.desk.tokens import LocalTokens
from pipeline.desk.trials import LocalTrials


class LocalDesk:
    """`desk.base.Desk`: carries out here what the caller may ask for."""

    def __init__(self, parts: Parts, caller: Caller = LOCAL) -> None:
        self._parts, self.caller = parts, caller

    @cached_property
    def alarms(self) -> LocalAlarms:
        """Alarms, their states and histories."""
        return LocalAlarms(self._parts, self.caller)

    @cached_property
    def entries(self) -> LocalEntries:
        """Targets, groups, filters and matchers."""
        return LocalEntries(self._parts, self.caller)

    @cached_property
    def quotas(self) -> LocalQuotas:
        """How many alarms projects may have."""
        return LocalQuotas(self._parts, self.caller)

    def capabilities(self) -> Document:
        """What Aodh's API can do here."""
        return {name: dict(able) for name, able in CAPABILITIES.items()}

    @cached_property
    def targets(self) -> LocalTargets:
        """Types of targets; targets tried, and told again."""
        return LocalTargets(self._parts, self.caller)

    @cached_property
    def routes(self) -> LocalRoutes:
        """Where notifications go."""
        return LocalRoutes(self._parts, self.caller)

    @cached_property
    def notifications(self) -> LocalNotifications:
        """Kinds, templates, and notifications of people's own."""
        return LocalNotifications(self._parts, self.caller)

    @cached_property
    def as_code(self) -> LocalAsCode:
        """Everything as files."""
        return LocalAsCode(self._parts, self.caller)

    @cached_property
    def trials(self) -> LocalTrials:
        """Alarms tried out on events."""
        return LocalTrials(self._parts, self.caller)

    @cached_property
    def deliveries(self) -> LocalDeliveries:
        """Notifications on their way."""
        return LocalDeliveries(self._parts, self.caller)

    @cached_property
    def dead_letters(self) -> LocalDeadLetters:
        """Deliveries that were given up."""
        return LocalDeadLetters(self._parts, self.caller)

    @cached_property
    def rejected_events(self) -> LocalRejectedEvents:
        """Messages that were not understood."""
        return LocalRejectedEvents(self._parts, self.caller)

    @cached_property
    def publications(self) -> LocalPublications:
        """Events that a publisher did not take yet."""
        return LocalPublications(self._parts, self.caller)

    @cached_property
    def events(self) -> LocalEvents:
        """The archive."""
        return LocalEvents(self._parts, self.caller)

    @cached_property
    def status(self) -> LocalStatus:
        """The state of the whole."""
        return LocalStatus(self._parts, self.caller)

    @cached_property
    def tokens(self) -> LocalTokens:
        """API tokens."""
        return LocalTokens(self._parts, self.caller)

    @cached_property
    def history(self) -> LocalHistory:
        """What people changed."""
        return LocalHistory(self._parts, self.caller)


if TYPE_CHECKING:

    def _is_a_desk(desk: LocalDesk) -> Desk:
        return desk
