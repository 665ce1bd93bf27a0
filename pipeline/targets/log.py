"""Log: `log://?level=warning` actions write the notification to Tocsin's own log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from marshmallow.validate import OneOf

from pipeline.masking import mask_url
from pipeline.notification import Delivered, Delivery, Notification, Outcome
from pipeline.targets import options
from pipeline.targets.base import Tools
from pipeline.targets.options import TargetSchema

_LEVELS = ("debug", "info", "warning", "error")


class LogSchema(TargetSchema):
    """The options of the log."""

    level = options.text(load_default="info", validate=OneOf(_LEVELS))


class LogTarget:
    """Logs what is told."""

    schema = LogSchema
    heeds_guard = True

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._log, self._level = tools.log, options["level"]

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The URL's `level`; it says nothing more."""
        level = parse_qs(action.partition("?")[2]).get("level", [])
        return {"level": level[-1]} if level else {}

    def deliver(self, delivery: Delivery) -> Outcome:
        """Log it; this always succeeds."""
        told = delivery.notification
        getattr(self._log, self._level)(
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
