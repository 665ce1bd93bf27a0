"""Notification: what is told, mostly of an alarm's transition; and the outcomes of telling it.

Values only. A notification of an alarm is made with the transition that it tells of, in the same
transaction; others are sent by people (`tocsin send`) or by Tocsin itself (a digest, a target that
was disabled). Each of its actions becomes one delivery, and each try of a delivery one attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from pipeline.alarms.alarm import State, Transition

ALARM_TRANSITION: Final = "alarm-transition"
ALARM_REPEAT: Final = "alarm-repeat"


@dataclass(frozen=True, slots=True)
class AlarmTransition:
    """What is told of an alarm: its transition, with the reason (alarms 14).

    An alarm with `repeat_actions` may come from the state that it goes to: a repeat.
    """

    alarm_id: str
    alarm_name: str
    previous: State
    current: State
    reason: str
    reason_data: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """`alarm-transition`, or `alarm-repeat` where the state stays."""
        return alarm_kind(self.previous, self.current)

    @property
    def fields(self) -> Mapping[str, Any]:
        """What matchers and templates see of it; the event's traits, by name, under `traits`."""
        event = self.reason_data.get("event", {})
        return {
            "alarm_id": self.alarm_id,
            "alarm_name": self.alarm_name,
            "previous": self.previous.value,
            "current": self.current.value,
            "reason": self.reason,
            "event_type": event.get("event_type", ""),
            "message_id": event.get("message_id", ""),
            "generated": event.get("generated", ""),
            "traits": {name: value for name, _, value in event.get("traits", ())},
        }


def alarm_kind(previous: str, current: str) -> str:
    """The kind of what is told of an alarm that went from one state to another, or to the same."""
    return ALARM_REPEAT if previous == current else ALARM_TRANSITION


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What is told of anything else: its kind (`pipeline.kinds`), and the fields of that kind."""

    kind: str
    fields: Mapping[str, Any]


Subject: TypeAlias = AlarmTransition | Occurrence


@dataclass(frozen=True, slots=True)
class Notification:
    """What is told, of which subject, and how severe it is.

    `severity` is a word of `pipeline.severity` as it was given, an alarm's among them.
    """

    notification_id: str
    severity: str
    created_at: datetime
    subject: Subject

    @property
    def kind(self) -> str:
        """What sort of thing is told: `alarm-transition`, `digest`, `test`, …"""
        return self.subject.kind

    @property
    def fields(self) -> Mapping[str, Any]:
        """What matchers and templates see of it."""
        return self.subject.fields

    @property
    def alarm_id(self) -> str:
        """The id of the alarm that is told of; `''` where none is."""
        return self.alarm.alarm_id if self.alarm else ""

    @property
    def reason_data(self) -> Mapping[str, Any]:
        """What caused an alarm's transition (alarms 12); `{}` where no alarm is told of."""
        return self.alarm.reason_data if self.alarm else {}

    @property
    def alarm(self) -> AlarmTransition | None:
        """The alarm's transition, where it is one that is told."""
        return self.subject if isinstance(self.subject, AlarmTransition) else None


def told(transition: Transition, notification_id: str = "") -> Notification:
    """The notification of a transition, as it will be once it is written."""
    alarm = transition.alarm
    subject = AlarmTransition(
        alarm_id=alarm.alarm_id,
        alarm_name=alarm.name,
        previous=transition.previous,
        current=transition.current,
        reason=transition.reason,
        reason_data=transition.reason_data,
    )
    return Notification(notification_id, alarm.severity.value, transition.at, subject)


class StoredData(Mapping[str, Any]):
    """Reason data in `text`, JSON as `json.dumps` writes it; taken apart when it is looked into.

    Who sends it on as it stands never looks.
    """

    __slots__ = ("_data", "_read", "text")

    def __init__(self, text: str, read: Callable[[str], Mapping[str, Any]]) -> None:
        self.text, self._read = text, read
        self._data: Mapping[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self._taken_apart()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._taken_apart())

    def __len__(self) -> int:
        return len(self._taken_apart())

    def __repr__(self) -> str:
        return f"StoredData({self.text!r})"

    def _taken_apart(self) -> Mapping[str, Any]:
        if self._data is None:
            self._data = self._read(self.text)
        return self._data


Progress: TypeAlias = Mapping[str, Any]
"""What one attempt leaves for the next, and for people to see: JSON values by name, no secrets."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way to one action.

    `delivery_id` is the `webhook-id` of every attempt. `attempts` counts those already made.
    `lease` is the claim under which this notifier holds it. `disabled` says why the action takes
    nothing any more (a 410, delivery 4), `''` while it does. `trace` is the context of the
    trace that it goes on with (`pipeline.tracing`), `''` for none. `progress` is what the last
    outcome that had any left for the next attempt, and `in_progress_since` when the receiver
    began what it is at now, None while it is at nothing.
    A `guarded` one has an action that somebody else than an admin set (delivery 9).
    """

    delivery_id: str
    action: str
    attempts: int
    notification: Notification
    lease: str = ""
    disabled: str = ""
    trace: str = ""
    progress: Progress | None = None
    in_progress_since: datetime | None = None
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver took it. `note` says what became of it, where there is more to say."""

    status: int | None = None
    response_head: str = ""
    note: str = ""
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class InProgress:
    """The receiver is at it: look again after so long, whatever the schedule of retries says.

    `note` says what it is at. A look that finds the same `progress` as the one before is not
    recorded. For receivers that take long, such as a job that runs: waiting for one would hold
    a thread.
    """

    note: str
    progress: Progress
    look_again_in: timedelta
    status: int | None = None
    response_head: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never work: another try would be answered the same (delivery 4).

    `gone` (a 410) means that the receiver wants nothing from us any more: its action is disabled.
    `asked` is False where we refused it ourselves: that says nothing of the receiver. Not stored.
    """

    reason: str
    status: int | None = None
    response_head: str = ""
    gone: bool = False
    progress: Progress | None = None
    asked: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """It may work later. `retry_after` is what the receiver asked for, if it did."""

    reason: str
    status: int | None = None
    response_head: str = ""
    retry_after: timedelta | None = None
    progress: Progress | None = None


Outcome: TypeAlias = Delivered | InProgress | Refused | Failed

_NAMES: Mapping[type, str] = MappingProxyType(
    {
        Delivered: "delivered",
        InProgress: "in-progress",
        Refused: "refused",
        Failed: "failed",
    }
)
OUTCOME_NAMES = tuple(_NAMES.values())


def outcome_name(outcome: Outcome) -> str:
    """What people call it: `delivered`, `in-progress`, `refused` or `failed`."""
    return _NAMES[type(outcome)]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one delivery, as it is recorded (delivery 10). `number` counts from 1."""

    delivery_id: str
    number: int
    started_at: datetime
    duration_seconds: float
    outcome: Outcome
