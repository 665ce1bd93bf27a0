"""What templates see of a notification. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pipeline.kinds import Kind
from pipeline.notification import Notification
from pipeline.templates.blocks.html import FONT, colour
from pipeline.templates.texts import fitting
from pipeline.templates.values import timestamp

_RENDERERS: Mapping[str, str] = MappingProxyType(
    {"bytes": "human_bytes", "duration": "duration", "time": "timestamp"}
)


class Moment(int):
    """Seconds since 1970, at which a notification was made: `{{ timestamp }}`.

    Called, it writes any moment: `{{ timestamp(fields.starts_at) }}`.
    """

    def __call__(self, value: Any) -> str:
        return timestamp(value)


def context_of(notification: Notification, kind: Kind) -> dict[str, Any]:
    """The names that a template of a kind finds. Very long fields are cut."""
    fields = fitting(notification.fields)
    return {
        **described(notification),
        "description": kind.description,
        "fields": fields,
        "traits": fields.get("traits", {}),
        "renderers": {
            name: _RENDERERS[field.type]
            for name, field in kind.fields.items()
            if field.type in _RENDERERS
        },
        "described": list(kind.fields),
        "colour": colour(notification.severity),
        "font": FONT,
    }


def described(notification: Notification) -> dict[str, Any]:
    """What is known of every notification."""
    return {
        "kind": notification.kind,
        "severity": notification.severity,
        "created_at": notification.created_at,
        "timestamp": Moment(notification.created_at.timestamp()),
        "notification_id": notification.notification_id,
    }
