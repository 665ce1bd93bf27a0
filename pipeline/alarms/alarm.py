"""Alarm, its rule and conditions, its states and severities, and the Transition of an alarm.

Values only; every name and default is Aodh's (alarms 1 to 5). Made at the edges (marshmallow
schemas in `pipeline.alarms.schema`, rows in `pipeline.store`), read everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

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
class Reference:
    """Another alarm as a leaf of a composite rule: its id. A person may give its name; the store
    puts the id in its place."""

    alarm: str


@dataclass(frozen=True, slots=True)
class CompositeRule:
    """Leaves, and rules made of them, of which all (`and`) or any (`or`) must be in alarm
    (alarms 5). `op` is one of these two words."""

    op: Literal["and", "or"]
    parts: tuple[CompositeRule | EventRule | Reference, ...]

    @property
    def leaves(self) -> tuple[EventRule | Reference, ...]:
        """The leaves from left to right: `rule1`, `rule2`, … in reasons."""
        return tuple(self._leaves())

    @property
    def event_rules(self) -> tuple[EventRule, ...]:
        """The leaves that are about events, from left to right."""
        return tuple(leaf for leaf in self._leaves() if isinstance(leaf, EventRule))

    @property
    def references(self) -> tuple[str, ...]:
        """The alarms that it refers to, each once."""
        found = (leaf.alarm for leaf in self._leaves() if isinstance(leaf, Reference))
        return tuple(dict.fromkeys(found))

    def as_dict(self) -> dict[str, Any]:
        """The wire form: `{"and"|"or": [leaf or rule, …]}` (`leaf_dict`)."""
        parts = [
            part.as_dict() if isinstance(part, CompositeRule) else leaf_dict(part)
            for part in self.parts
        ]
        return {self.op: parts}

    def _leaves(self) -> Iterator[EventRule | Reference]:
        for part in self.parts:
            if isinstance(part, CompositeRule):
                yield from part._leaves()
            else:
                yield part


def leaf_dict(leaf: EventRule | Reference) -> dict[str, Any]:
    """A leaf's wire form: `{"alarm": id}`, or `{"type": "event", "event_type", "query"}`."""
    if isinstance(leaf, Reference):
        return {"alarm": leaf.alarm}
    return {"type": "event", **leaf.as_dict()}


Rule: TypeAlias = EventRule | CompositeRule
COMPOSITE = "composite"
"""The type of alarms that have a `CompositeRule`."""


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
    `guarded` is said of actions that somebody else than an admin set (delivery 9). `leaf_states`
    are those of a composite rule's `event_rules`; `()` says that all have insufficient data.
    """

    alarm_id: str
    name: str
    rule: Rule
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
    leaf_states: tuple[State, ...] = ()

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
    the context of the trace that it belongs to (`pipeline.tracing`), `''` for none. A composite
    alarm has `data` of its own, and no event where what a person did changed its state.
    """

    alarm: Alarm
    event: Event | None
    previous: State
    current: State
    reason: str
    at: datetime
    trace: str = ""
    data: Mapping[str, Any] | None = None

    @property
    def reason_data(self) -> Mapping[str, Any]:
        """What caused the transition, in Aodh's form (alarms 12)."""
        event = {} if self.event is None else {"event": self.event.as_dict()}
        return {**(self.data or {"type": "event"}), **event}
