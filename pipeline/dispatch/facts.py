"""Facts: what matchers see of a notification (notifications 8). Pure.

The fields are `kind`, `severity`, those of its subject (of an alarm `alarm_name`, `event_type`,
`previous`, `current`, …) and, for an alarm, the event's traits as `traits.NAME` or by their bare
name where no field has it. A dot leads into a field that holds others: `disk.free`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from pipeline.notification import Notification

_PROJECT, _TENANT = "project_id", "tenant_id"


class Facts:
    """A notification as matchers look at it; each field is looked up once."""

    __slots__ = ("_fields", "_known", "_local", "_notification", "_now", "_zone")

    def __init__(self, notification: Notification, now: datetime, zone: tzinfo) -> None:
        self._notification, self._now, self._zone = notification, now, zone
        self._fields: Mapping[str, Any] | None = None
        self._known: dict[str, tuple[str, ...]] = {}
        self._local: datetime | None = None

    @property
    def severity(self) -> str:
        """How severe it is, as it was given."""
        return self._notification.severity

    @property
    def local(self) -> datetime:
        """The present moment in the time zone of calendars."""
        if self._local is None:
            self._local = self._now.astimezone(self._zone)
        return self._local

    def texts(self, field: str) -> tuple[str, ...]:
        """The field's value as text, each item's of a list; `()` where it has no such field."""
        known = self._known.get(field)
        if known is None:
            known = self._known[field] = _texts(self._value(field))
        return known

    def _value(self, field: str) -> Any:
        if field == "kind":
            return self._notification.kind
        if field == "severity":
            return self._notification.severity
        if self._fields is None:
            self._fields = self._notification.fields
        found = _inside(self._fields, field)
        if found is None and self._notification.alarm is not None:
            traits = self._fields["traits"]
            found = traits.get(field)
            if found is None and field == _PROJECT:
                found = traits.get(_TENANT)
        return found


def _inside(fields: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as `disk.free`; a key that has the dots itself goes first."""
    if path in fields:
        return fields[path]
    head, dot, rest = path.partition(".")
    inner = fields.get(head) if dot else None
    return _inside(inner, rest) if isinstance(inner, Mapping) else None


def _texts(value: Any) -> tuple[str, ...]:
    if value is None or isinstance(value, Mapping):
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(text for item in value for text in _texts(item))
    if isinstance(value, bool):
        return (json.dumps(value),)
    return (str(value),)
