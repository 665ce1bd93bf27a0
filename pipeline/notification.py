"""Notification: what is told about a transition; and the outcomes of telling it.

Values only. A notification is made with the transition that it tells of, in the same
transaction; each of its actions becomes one delivery, and each try of a delivery one attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from pipeline.alarms.alarm import Severity, State


@dataclass(frozen=True, slots=True)
class Notification:
    """What is told: one alarm's transition, with its reason (alarms 14)."""

    notification_id: str
    alarm_id: str
    alarm_name: str
    severity: Severity
    previous: State
    current: State
    reason: str
    reason_data: Mapping[str, Any]
    created_at: datetime


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


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way to one action.

    `delivery_id` is the `webhook-id` of every attempt. `attempts` counts those already made.
    `lease` is the claim under which this notifier holds it. `disabled` says why the action takes
    nothing any more (a 410, delivery 4), `''` while it does. `trace` is the context of the
    trace that it goes on with (`pipeline.tracing`), `''` for none.
    """

    delivery_id: str
    action: str
    attempts: int
    notification: Notification
    lease: str = ""
    disabled: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver took it."""

    status: int | None = None
    response_head: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never work: another try would be answered the same (delivery 4).

    `gone` (a 410) means that the receiver wants nothing from us any more: its action is disabled.
    """

    reason: str
    status: int | None = None
    response_head: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """It may work later. `retry_after` is what the receiver asked for, if it did."""

    reason: str
    status: int | None = None
    response_head: str = ""
    retry_after: timedelta | None = None


Outcome: TypeAlias = Delivered | Refused | Failed


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one delivery, as it is recorded (delivery 10). `number` counts from 1."""

    delivery_id: str
    number: int
    started_at: datetime
    duration_seconds: float
    outcome: Outcome
