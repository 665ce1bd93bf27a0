"""Deliveries and dead letters at the desk: whose they are, and what of them is shown (delivery 5,
10, notifications 14).

A delivery belongs to its alarm's project. Actions are shown without their secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline import dispatch
from pipeline.access import Caller, Permission
from pipeline.desk.alarms import LocalAlarms
from pipeline.desk.base import Document, Page, Parts
from pipeline.desk.choices import DeadLettersToPurge, DeadLettersToReplay, check_whole, chosen
from pipeline.desk.kept import DeliveryFilter
from pipeline.desk.paging import one_more, page
from pipeline.errors import InvalidValue, NotFound
from pipeline.masking import mask_url
from pipeline.notification import (
    Attempt,
    Delivered,
    Delivery,
    Failed,
    InProgress,
    Notification,
    Refused,
    outcome_name,
)
from pipeline.store.base import DeliveryRecord
from pipeline.times import plain

DEAD = "dead"


class LocalDeliveries:
    """`desk.kept.Deliveries`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def search(
        self, wanted: DeliveryFilter, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Deliveries, the newest first."""
        self._caller.require(Permission.AUDIT)
        check_whole(wanted.action)
        found = self._parts.store.deliveries(
            state=wanted.state,
            alarm_id=self._alarm_id(wanted.alarm),
            message_id=wanted.event,
            action=wanted.action,
            receiver=dispatch.receiver(wanted.receiver) if wanted.receiver else None,
            outcome=wanted.outcome,
            digest_id=wanted.digest,
            limit=one_more(limit),
            marker=marker,
            by=self._caller,
        )
        return page(found, limit, "delivery_id", delivery_document)

    def find(self, delivery_id: str) -> Document:
        """One with what it tells and its attempts, in order."""
        self._caller.require(Permission.AUDIT)
        return whole_document(*self._parts.store.delivery(delivery_id, by=self._caller))

    def _alarm_id(self, alarm: str | None) -> str | None:
        if not alarm:
            return None
        found: str = LocalAlarms(self._parts, self._caller).find(alarm)["alarm_id"]
        return found


class LocalDeadLetters:
    """`desk.kept.DeadLetters`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller
        self._deliveries = LocalDeliveries(parts, caller)

    def search(
        self, wanted: DeliveryFilter, limit: int | None = None, marker: str | None = None
    ) -> Page:
        """Dead letters, the newest first."""
        return self._deliveries.search(replace(wanted, state=DEAD), limit, marker)

    def find(self, delivery_id: str) -> Document:
        """As a delivery; one that is not dead is not found."""
        found = self._deliveries.find(delivery_id)
        if found["state"] != DEAD:
            raise NotFound(
                f"Delivery {delivery_id} is {found['state']}, not dead. See: "
                f"tocsin delivery show {delivery_id}"
            )
        return found

    def replay(self, which: Mapping[str, Any]) -> int:
        """Make them due again; how many."""
        self._caller.require(Permission.MANAGE)
        asked = chosen(which, DeadLettersToReplay)
        now, store = self._parts.clock(), self._parts.store
        return sum(store.replay_dead(now, **each, by=self._caller) for each in self._bounds(asked))

    def purge(self, which: Mapping[str, Any]) -> int:
        """Delete them for good; how many."""
        self._caller.require(Permission.MODIFY)
        asked = chosen(which, DeadLettersToPurge)
        store = self._parts.store
        return sum(store.purge_dead(**each, by=self._caller) for each in self._bounds(asked))

    def _bounds(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Which ones are meant, each as the store is asked for it. Raises for ids that are of no
        dead letters."""
        if "ids" not in asked:
            return [{name: value for name, value in asked.items() if name != "all"}]
        for one in asked["ids"]:
            check_dead(self._deliveries.find(one))
        return [{"delivery_id": one} for one in asked["ids"]]


def check_dead(delivery: Document) -> None:
    """Raise `InvalidValue` for a delivery that is not dead."""
    if delivery["state"] != DEAD:
        raise InvalidValue(
            f"Delivery {delivery['delivery_id']} is {delivery['state']}, not dead.", "ids"
        )


def delivery_document(record: DeliveryRecord) -> Document:
    """A delivery in a list."""
    return {
        "delivery_id": record.delivery_id,
        "state": record.state,
        "attempt_count": record.attempts,
        "kind": record.kind,
        "alarm_id": record.alarm_id,
        "alarm_name": record.alarm_name,
        "notification_id": record.notification_id,
        "message_id": record.message_id,
        "action": mask_url(record.action),
        "receiver": dispatch.receiver(record.action),
        "created_at": plain(record.created_at),
        "due_at": plain(record.due_at),
        "finished_at": plain(record.finished_at),
        "last_error": record.last_error,
        "digest_id": record.digest_id,
        "fallback_for": record.fallback_for,
    }


def whole_document(
    record: DeliveryRecord, delivery: Delivery, attempts: Sequence[Attempt]
) -> Document:
    """A delivery with what it tells and its attempts."""
    told = delivery.notification
    return {
        **delivery_document(record),
        "disabled": delivery.disabled,
        "severity": told.severity,
        **_subject(told),
        "progress": dict(delivery.progress or {}),
        "attempts": [_attempt(each) for each in attempts],
    }


def _subject(told: Notification) -> Document:
    """An alarm's transition; of anything else its fields."""
    alarm = told.alarm
    return {
        "previous": alarm.previous.value if alarm else None,
        "current": alarm.current.value if alarm else None,
        "reason": alarm.reason if alarm else None,
        "fields": None if alarm else dict(told.fields),
    }


def _attempt(attempt: Attempt) -> Document:
    outcome = attempt.outcome
    return {
        "number": attempt.number,
        "started_at": plain(attempt.started_at),
        "duration_seconds": attempt.duration_seconds,
        "outcome": outcome_name(outcome),
        "status": outcome.status,
        "error": outcome.reason if isinstance(outcome, Refused | Failed) else "",
        "note": outcome.note if isinstance(outcome, Delivered | InProgress) else "",
        "response_head": outcome.response_head,
    }
