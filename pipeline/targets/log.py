"""Log: `log://` actions write the notification to Tocsin's own log, at INFO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.masking import mask_url
from pipeline.notification import Delivered, Delivery, Notification, Outcome
from pipeline.targets.base import Tools
from pipeline.targets.options import TargetSchema


class LogTarget:
    """Logs what is told."""

    schema = TargetSchema
    heeds_guard = True

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._log = tools.log

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The URL says nothing more."""
        return {}

    def deliver(self, delivery: Delivery) -> Outcome:
        """Log it; this always succeeds."""
        told = delivery.notification
        self._log.info(
            "notification",
            kind=told.kind,
            severity=told.severity,
            action=mask_url(delivery.action),
            **_subject(told),
            delivery_id=delivery.delivery_id,
        )
        return Delivered()

    def close(self) -> None:
        """Nothing to let go of."""


def _subject(told: Notification) -> Mapping[str, Any]:
    if alarm := told.alarm:
        return {
            "alarm_name": alarm.alarm_name,
            "alarm_id": alarm.alarm_id,
            "previous": alarm.previous.value,
            "current": alarm.current.value,
            "reason": alarm.reason,
        }
    return {"fields": dict(told.fields)}
