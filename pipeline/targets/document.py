"""Document: a notification as one JSON object, for programs to read: exec, file, amqp.

    {"delivery_id", "notification_id", "kind", "severity", "timestamp", "title", "message",
     "fields": {…}, "reason_data": {…} of an alarm}

Pure but for the templates that it asks for title and message.
"""

from __future__ import annotations

from typing import Any

from pipeline.notification import Delivery
from pipeline.strict_json import strict_json
from pipeline.templates import Templates


def document(delivery: Delivery, templates: Templates) -> bytes:
    """The document, in one line. Raises `InvalidValue` where no template can be used."""
    told, words = delivery.notification, templates.render(delivery.notification)
    fields: dict[str, Any] = {
        "delivery_id": delivery.delivery_id,
        "notification_id": told.notification_id,
        "kind": told.kind,
        "severity": told.severity,
        "timestamp": told.created_at.isoformat(),
        "title": words.title,
        "message": words.text,
        "fields": dict(told.fields),
    }
    if told.alarm:
        fields["reason_data"] = dict(told.reason_data)
    return strict_json(fields)
