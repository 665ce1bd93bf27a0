"""Log: `log://` actions write the notification to Tocsin's own log, at INFO."""

from __future__ import annotations

from pipeline.masking import mask_url
from pipeline.notification import Delivered, Delivery, Outcome
from pipeline.targets.base import Tools


class LogTarget:
    """Logs what is told."""

    def __init__(self, tools: Tools) -> None:
        self._log = tools.log

    def deliver(self, delivery: Delivery) -> Outcome:
        """Log it; this always succeeds."""
        told = delivery.notification
        self._log.info(
            "notification",
            alarm_name=told.alarm_name,
            alarm_id=told.alarm_id,
            severity=str(told.severity),
            previous=str(told.previous),
            current=str(told.current),
            action=mask_url(delivery.action),
            reason=told.reason,
            delivery_id=delivery.delivery_id,
        )
        return Delivered()

    def close(self) -> None:
        """Nothing to let go of."""
