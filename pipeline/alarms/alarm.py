"""Alarm, its rule and conditions, its states and severities, and the Transition of an alarm.

Values only; every name and default is Aodh's (alarms 1 to 5). Made at the edges (marshmallow
schemas in `pipeline.alarms.schema`, rows in `pipeline.store`), read everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from pipeline.event import Event

ConditionValue: TypeAlias = str | int | float | bool | datetime


class State(StrEnum):
    """An alarm's state (alarms 2)."""

    OK = "ok"
    ALARM = "alarm"
    INSUFFICIENT_DATA = "insufficient data"


class Severity(StrEnum):
    """An alarm's severity, from the least to the most urgent (alarms 2)."""

    LOW = "low"
    MODERATE = "moderate"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a query. `value` is as the person gave it; `type` is '', string, integer,
    float, boolean or datetime, and `op` one of lt, le, eq, ne, ge, gt (alarms 3)."""

    field: str
    op: str
    value: Any
    type: str = ""


@dataclass(frozen=True, slots=True)
class EventRule:
    """Which events an alarm is about: an event type glob, and conditions that must all hold."""

    event_type: str = "*"
    query: tuple[Condition, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The wire form: `{event_type, query: [{field, op, value, type}]}`."""
        query = [
            {"field": c.field, "op": c.op, "type": c.type, "value": c.value} for c in self.query
        ]
        return {"event_type": self.event_type, "query": query}


@dataclass(frozen=True, slots=True)
class TimeConstraint:
    """A recurring window outside of which an alarm does not fire (alarms 4).

    `start` is a cron expression, `duration_seconds` the window's length, `timezone` an IANA name
    or '' for UTC.
    """

    name: str
    start: str
    duration_seconds: int
    timezone: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm, with its present state (alarms 1). Times are aware UTC.

    `all_projects` lets the alarm see the events of every project, and those without one
    (alarms 9). `revision` is the store's: it grows with every change that a person makes.
    `guarded` is said of actions that somebody else than an admin set (delivery 9).
    """

    alarm_id: str
    name: str
    rule: EventRule
    description: str
    timestamp: datetime
    state_timestamp: datetime
    type: str = "event"
    enabled: bool = True
    state: State = State.INSUFFICIENT_DATA
    state_reason: str = "Not evaluated yet"
    severity: Severity = Severity.LOW
    ok_actions: tuple[str, ...] = ()
    alarm_actions: tuple[str, ...] = ()
    insufficient_data_actions: tuple[str, ...] = ()
    repeat_actions: bool = False
    time_constraints: tuple[TimeConstraint, ...] = ()
    project_id: str = ""
    user_id: str = ""
    all_projects: bool = False
    evaluate_timestamp: datetime | None = None
    revision: int = 0
    guarded: bool = False

    def actions(self, state: State) -> tuple[str, ...]:
        """The actions to carry out when the alarm comes into `state`."""
        return {
            State.OK: self.ok_actions,
            State.ALARM: self.alarm_actions,
            State.INSUFFICIENT_DATA: self.insufficient_data_actions,
        }[state]


@dataclass(frozen=True, slots=True)
class Transition:
    """An alarm fired: `alarm` is as it was before, `event` what it fired on, `at` aware UTC.

    With `repeat_actions`, `previous` and `current` may be the same state (alarms 11). `trace` is
    the context of the trace that it belongs to (`pipeline.tracing`), `''` for none.
    """

    alarm: Alarm
    event: Event
    previous: State
    current: State
    reason: str
    at: datetime
    trace: str = ""

    @property
    def reason_data(self) -> Mapping[str, Any]:
        """What caused the transition, in Aodh's form (alarms 12)."""
        return {"type": "event", "event": self.event.as_dict()}
