"""Routes at the desk: where notifications would go, and what matchers can look at (8, 13, 14).

Who is held to projects is told of their alarms alone; who is held to names, of what has these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.access import Caller, Permission
from pipeline.alarms.alarm import Alarm, State
from pipeline.alarms.evaluator import decide
from pipeline.desk.alarms import LocalAlarms
from pipeline.desk.base import Document, Parts
from pipeline.desk.past import seen
from pipeline.dispatch import named
from pipeline.dispatch.explain import Explanation, Verdict, explain
from pipeline.dispatch.known import KnownField, known_fields
from pipeline.errors import NotFound
from pipeline.event import Event
from pipeline.masking import mask_url
from pipeline.notification import Notification, told
from pipeline.past import Reference
from pipeline.store.archive import EventFilter

_LOOKED_AT = 1_000
"""Of how many events and notifications, the newest, fields and values are learnt."""


class LocalRoutes:
    """`desk.base.Routes`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller
        self._alarms = LocalAlarms(parts, caller)

    def explain(self, of: Reference, alarm: str | None = None) -> Document:
        """Who would be told, and why not the others."""
        self._caller.require(Permission.AUDIT)
        _, found = seen(self._parts, self._caller, of)
        asked = self._alarms.found(alarm) if alarm else None
        if isinstance(found, Notification):
            caused: list[tuple[Notification, Sequence[str]]] = [(found, self._own_actions(found))]
        else:
            caused = list(self._caused(found, asked))
        routing = self._parts.telling.routing()
        return {
            "alarm": asked.name if asked else None,
            "notifications": [
                self._told(each, explain(each, actions, routing, self._parts.clock()))
                for each, actions in caused
            ],
        }

    def fields(self) -> list[Document]:
        """The fields that matchers can look at."""
        return [
            {"name": name, "comment": field.about} for name, field in sorted(self._known().items())
        ]

    def values(self, field: str | None = None) -> list[Document]:
        """Values that fields had lately."""
        known = self._known()
        names = sorted(known) if field is None else [name for name in known if name == field]
        return [
            {"field": name, "value": value, "comment": comment}
            for name in names
            for value, comment in known[name].values.items()
        ]

    # --- explaining --------------------------------------------------------------------------

    def _caused(
        self, event: Event, asked: Alarm | None
    ) -> Iterator[tuple[Notification, Sequence[str]]]:
        """What the event makes of alarms, as if none had fired before, with their actions."""
        for alarm in [asked] if asked else self._parts.store.all_enabled()[1]:
            if not self._caller.sees_project(alarm.project_id):
                continue
            fresh = replace(alarm, state=State.INSUFFICIENT_DATA)
            if transition := decide(fresh, event, self._parts.clock()):
                yield told(transition), alarm.actions(transition.current)

    def _own_actions(self, notification: Notification) -> Sequence[str]:
        """The actions of the alarm that was told of, as they now are; none of one that is gone."""
        if notification.alarm is None:
            return ()
        try:
            alarm = self._parts.store.get(notification.alarm_id)
        except NotFound:
            return ()
        return alarm.actions(notification.alarm.current)

    def _told(self, notification: Notification, explanation: Explanation) -> Document:
        policy = explanation.policy
        return {
            "alarm": notification.alarm.alarm_name if notification.alarm else "",
            "policy": _verdict(notification.kind, policy),
            "matchers": [
                _verdict(each.name, each)
                for each in explanation.matchers
                if self._caller.reaches(each.name)
            ],
            "targets": [
                _verdict(mask_url(each.name), each)
                for each in explanation.targets
                if self._reaches(each.name)
            ],
            "problems": list(explanation.plan.problems) if self._caller.names is None else [],
        }

    def _reaches(self, action: str) -> bool:
        name = named(action, "target")
        return name is None or self._caller.reaches(name)

    # --- what is known -----------------------------------------------------------------------

    def _known(self) -> Mapping[str, KnownField]:
        self._caller.require(Permission.AUDIT)
        store = self._parts.store
        told = store.told_lately(_LOOKED_AT)
        events = store.events(EventFilter(), _LOOKED_AT)
        return known_fields(
            self._parts.kinds,
            [each for each in told if self._sees(each.fields.get("traits"))],
            [each for each in events if self._caller.sees_project(each.project_id)],
        )

    def _sees(self, traits: Any) -> bool:
        if self._caller.sees_all:
            return True
        if not isinstance(traits, Mapping):
            return False
        return self._caller.sees_project(
            str(traits.get("project_id") or traits.get("tenant_id") or "")
        )


def _verdict(name: str, verdict: Verdict) -> Document:
    return {"name": name, "takes": verdict.taken, "why": verdict.reason}
