"""Planner: where notifications go, by the routing in force in this process.

`pipeline.dispatch.plan` decides; here the values are made that it looks at, and what leads to
nothing is told. The worker asks for the actions of a transition in its transaction; whoever tells
of anything else (a digest, a target that was disabled, `tocsin send`) has it written by `notify`.
Reads no store to plan: an alarm with plain URLs costs a look into a dict while nobody has set up
anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from pipeline.alarms.alarm import Transition
from pipeline.dispatch.plan import Plan, plan
from pipeline.dispatch.routing import Routing
from pipeline.notification import ALARM_REPEAT, ALARM_TRANSITION, Notification, told


class Routed(Protocol):
    """What is needed of the routing in memory (`pipeline.dispatch.live.LiveRouting`)."""

    @property
    def routing(self) -> Routing:
        """The routing in force."""


class Writing(Protocol):
    """What is needed of a transaction (`pipeline.store.base.Transaction`)."""

    def save_notification(self, notification: Notification, actions: Sequence[str]) -> None:
        """Write a notification that tells of no alarm, with a delivery per action."""


class Store(Protocol):
    """What is needed of the store."""

    def begin(self) -> AbstractContextManager[Writing]:
        """A transaction."""


class Planner:
    """Plans by the routing in force. Safe to use from many threads."""

    def __init__(self, live: Routed, log: Any) -> None:
        self._live, self._log = live, log

    def actions(self, transition: Transition) -> Sequence[str]:
        """Where the notification of an alarm's transition goes, each action once."""
        alarm = transition.alarm
        own = alarm.actions(transition.current)
        repeat = transition.previous is transition.current
        kind = ALARM_REPEAT if repeat else ALARM_TRANSITION
        routing = self._live.routing
        if routing.leaves_alone(kind, alarm.severity, own):
            return own
        return self._planned(routing, told(transition), own, transition.at).actions

    def planned(
        self,
        notification: Notification,
        actions: Sequence[str],
        now: datetime,
        *,
        only: bool = False,
    ) -> Plan:
        """Where a notification goes, besides the actions that it was sent to by name; `only`: to
        nobody besides."""
        return self._planned(self._live.routing, notification, actions, now, only=only)

    def _planned(
        self,
        routing: Routing,
        notification: Notification,
        actions: Sequence[str],
        now: datetime,
        *,
        only: bool = False,
    ) -> Plan:
        made = plan(notification, actions, routing, now, only=only)
        for problem in made.problems:
            kind, alarm_id = notification.kind, notification.alarm_id
            self._log.error("routing.leads_nowhere", kind=kind, alarm_id=alarm_id, reason=problem)
        return made


class Notify:
    """Tells of what is no alarm: plans where it goes and writes it with its deliveries.

    `wake` lets a notifier in the same process know.
    """

    def __init__(
        self,
        planner: Planner,
        store: Store,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._planner, self._store, self._clock, self._wake = planner, store, clock, wake

    def __call__(
        self, notification: Notification, actions: Sequence[str] = (), *, only: bool = False
    ) -> Sequence[str]:
        """The actions that it will be delivered to; where there are none, nothing is written.

        `actions` (`target:mail`, `group:admins`, URLs) are told besides what matchers say, or
        `only` they. Raises `StoreUnavailable`.
        """
        planned = self._planner.planned(notification, actions, self._clock(), only=only).actions
        if planned:
            with self._store.begin() as transaction:
                transaction.save_notification(notification, planned)
            self._wake()
        return planned
