"""Builders with good defaults, so that a test says only what it is about.

    from builders import an_alarm, an_event     (pytest puts tests/ on the path)

    an_event(host="a", event_type="compute.instance.create.end")
    an_alarm(severity=Severity.CRITICAL, alarm_actions=("https://receiver/",))
    a_transition(alarm, an_event(host="a"))

Ids are random, so that what one test makes never meets what another made; times are fixed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.access import Caller, Role
from pipeline.alarms.alarm import (
    COMPOSITE,
    Alarm,
    CompositeRule,
    Condition,
    EventRule,
    Reference,
    Severity,
    State,
    Transition,
)
from pipeline.event import Event, TraitType, TraitValue
from pipeline.notification import AlarmTransition, Delivery, Notification, Occurrence

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
"""The moment at which tests happen, unless they say another."""


def a_caller(user_id: str = "u-1", role: Role = Role.ADMIN, **changes: Any) -> Caller:
    """Somebody who asks, in this role, held to nothing; `changes` are the fields of `Caller`."""
    return Caller(user_id, role, **changes)


def an_id() -> str:
    """A new random id, as alarms, messages and deliveries have."""
    return str(uuid.uuid4())


def an_event(
    *,
    event_type: str = "identity.user.deleted",
    message_id: str | None = None,
    generated: datetime = NOON,
    raw: Mapping[str, Any] | None = None,
    **traits: TraitValue,
) -> Event:
    """An event with these traits; a trait's type follows from its Python type."""
    types = {name: _trait_type(value) for name, value in traits.items()}
    message_id = an_id() if message_id is None else message_id
    return Event(message_id, event_type, generated, traits, types, raw or {})


def a_condition(field: str, value: Any, op: str = "eq", type: str = "") -> Condition:
    """One condition; equality unless said otherwise."""
    return Condition(field=field, op=op, value=value, type=type)


def a_rule(event_type: str = "*", *conditions: Condition) -> EventRule:
    """A rule for events of this type that meet every condition."""
    return EventRule(event_type=event_type, query=conditions)


def an_alarm(**changes: Any) -> Alarm:
    """An enabled alarm on deleted users that posts to one receiver; `changes` are its fields.

    `alarm_actions` and the like may be lists.
    """
    fields: dict[str, Any] = {
        "alarm_id": an_id(),
        "name": "user-deleted",
        "rule": EventRule(event_type="identity.user.deleted"),
        "description": "Alarm when event event occurred.",
        "timestamp": NOON,
        "state_timestamp": NOON,
        "alarm_actions": ("https://receiver.example/hook",),
    }
    fields.update({k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()})
    return Alarm(**fields)


def all_of(*parts: CompositeRule | EventRule | Reference | Alarm) -> CompositeRule:
    """A composite rule of which all parts must be in alarm; an alarm stands for a reference."""
    return CompositeRule("and", tuple(map(_part, parts)))


def any_of(*parts: CompositeRule | EventRule | Reference | Alarm) -> CompositeRule:
    """A composite rule of which one part must be in alarm; an alarm stands for a reference."""
    return CompositeRule("or", tuple(map(_part, parts)))


def a_composite(rule: CompositeRule, **changes: Any) -> Alarm:
    """An enabled composite alarm that posts to one receiver, whatever its state becomes."""
    everywhere = ("https://receiver.example/hook",)
    fields: dict[str, Any] = {
        "name": "composite",
        "description": "composite alarm rule",
        "type": COMPOSITE,
        "rule": rule,
        "ok_actions": everywhere,
        "insufficient_data_actions": everywhere,
    }
    return an_alarm(**{**fields, **changes})


def a_transition(
    alarm: Alarm | None = None,
    event: Event | None = None,
    *,
    current: State = State.ALARM,
    previous: State | None = None,
    reason: str | None = None,
    at: datetime = NOON,
) -> Transition:
    """The transition of `alarm` that `event` caused, with Aodh's reason (alarms 12)."""
    alarm = alarm or an_alarm()
    event = event or an_event()
    return Transition(
        alarm=alarm,
        event=event,
        previous=alarm.state if previous is None else previous,
        current=current,
        reason=_reason(alarm, event) if reason is None else reason,
        at=at,
    )


def a_notification(**changes: Any) -> Notification:
    """A notification of the transition of `an_alarm()`; `changes` are fields of either."""
    event = an_event(initiator_id="u-1", project_id="p-1")
    alarm = an_alarm()
    fields: dict[str, Any] = {
        "alarm_id": alarm.alarm_id,
        "alarm_name": alarm.name,
        "previous": State.INSUFFICIENT_DATA,
        "current": State.ALARM,
        "reason": _reason(alarm, event),
        "reason_data": {"type": "event", "event": event.as_dict()},
    }
    told: dict[str, Any] = {
        "notification_id": an_id(),
        "severity": Severity.LOW.value,
        "created_at": NOON,
    }
    fields |= {name: value for name, value in changes.items() if name in fields}
    told |= {name: value for name, value in changes.items() if name not in fields}
    return Notification(**{"subject": AlarmTransition(**fields), **told})


def an_occurrence(kind: str = "test", severity: str = "info", **fields: Any) -> Notification:
    """A notification that tells of no alarm, with these fields."""
    return Notification(an_id(), severity, NOON, Occurrence(kind, fields))


def a_delivery(action: str = "https://receiver.example/hook", **changes: Any) -> Delivery:
    """A first try of telling `a_notification()` to `action`; `changes` are its fields."""
    fields: dict[str, Any] = {
        "delivery_id": an_id(),
        "action": action,
        "attempts": 0,
        "notification": a_notification(),
        "lease": "lease-1",
    }
    return Delivery(**{**fields, **changes})


def _part(
    part: CompositeRule | EventRule | Reference | Alarm,
) -> CompositeRule | EventRule | Reference:
    return Reference(part.alarm_id) if isinstance(part, Alarm) else part


def _trait_type(value: TraitValue) -> TraitType:
    kinds: Sequence[tuple[type, TraitType]] = (
        (str, TraitType.TEXT),
        (int, TraitType.INT),
        (float, TraitType.FLOAT),
        (datetime, TraitType.DATETIME),
    )
    return next(trait_type for kind, trait_type in kinds if isinstance(value, kind))


def _reason(alarm: Alarm, event: Event) -> str:
    query = json.dumps(alarm.rule.as_dict().get("query"), sort_keys=True)
    which = f"id={event.message_id},event_type={event.event_type}"
    return f"Event <{which}> hits the query <query={query}>."
