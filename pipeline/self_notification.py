"""Self-notifications: what becomes of alarms, told as events (alarms 25).

A line of an alarm's history becomes an event of type `alarm.creation`, `alarm.rule_change`,
`alarm.state_transition` or `alarm.deletion`, with Aodh's payload in `raw`: that of a notification,
so that `oslo://` publishes what Aodh would. The store writes such events down in the transaction
of the change, as publications; whichever process listens brings them to their publishers.

They may come in again as notifications like any other. An alarm may be about them; but what such
an alarm does is not told: two alarms would otherwise tell each other of each other for ever.

What becomes of targets is told as well: `target.disabled` and `target.recovered`, which Aodh does
not have.

Pure. Called by the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.event import Event, TraitType, TraitValue
from pipeline.options import option

EVENT_TYPES = frozenset(
    {"alarm.creation", "alarm.rule_change", "alarm.state_transition", "alarm.deletion"}
)

NOTIFIER = "tocsin.notifier"
"""Who says what becomes of targets."""


@dataclass(frozen=True, slots=True)
class SelfNotificationSettings:
    """The settings `self_notifications.*`."""

    publishers: tuple[str, ...] = option(
        (),
        "Where to tell that an alarm was created, changed or deleted, that its state changed, or "
        "that a target was disabled: URLs of publishers, as in the pipelines file. oslo:// tells "
        "it on the bus as Aodh does (exchange aodh, queue notifications.info), log:// in the log.",
    )


def is_self_notification(event: Event) -> bool:
    """Whether the event tells of an alarm, ours or an Aodh's."""
    return event.event_type in EVENT_TYPES


def self_notification(entry: Mapping[str, Any], publisher_id: str) -> Event:
    """The event that tells of a line of history; `entry` has its columns, `detail` as JSON."""
    event_type = f"alarm.{entry['type'].replace(' ', '_')}"
    payload = {**entry, "detail": json.loads(entry["detail"])}
    payload["timestamp"] = entry["timestamp"].replace(tzinfo=None).isoformat()
    values = _traits(entry, payload["detail"], publisher_id)
    types = dict.fromkeys(values, TraitType.TEXT)
    raw = {
        "publisher_id": publisher_id,
        "priority": "info",
        "event_type": event_type,
        "payload": payload,
        "ctxt": {"project_id": entry["on_behalf_of"]},
    }
    return Event(entry["event_id"], event_type, entry["timestamp"], values, types, raw)


def target_disabled(event_id: str, at: datetime, fields: Mapping[str, Any]) -> Event:
    """The event that tells that a target, or an action, is told nothing any more."""
    return _of_target(event_id, "target.disabled", "error", at, fields)


def target_recovered(event_id: str, at: datetime, fields: Mapping[str, Any]) -> Event:
    """The event that tells that a receiver which was left alone takes deliveries again."""
    return _of_target(event_id, "target.recovered", "info", at, fields)


def _of_target(
    event_id: str, event_type: str, priority: str, at: datetime, fields: Mapping[str, Any]
) -> Event:
    values: dict[str, TraitValue] = {"service": NOTIFIER, "priority": priority}
    values |= {name: str(value) for name, value in fields.items()}
    types = dict.fromkeys(values, TraitType.TEXT)
    raw = {
        "publisher_id": NOTIFIER,
        "priority": priority,
        "event_type": event_type,
        "payload": dict(fields),
        "ctxt": {},
    }
    return Event(event_id, event_type, at, values, types, raw)


def _traits(
    entry: Mapping[str, Any], detail: Mapping[str, Any], publisher_id: str
) -> dict[str, TraitValue]:
    found = {
        "service": publisher_id,
        "priority": "info",
        "alarm_id": entry["alarm_id"],
        "project_id": entry["on_behalf_of"],
        "user_id": entry["user_id"],
        "severity": entry["severity"],
        "state": detail.get("state"),
        "reason": detail.get("transition_reason") or detail.get("state_reason"),
    }
    return {name: str(value) for name, value in found.items() if value}
