"""Notifications at the desk: their kinds and words, and those that people send (14, 15, 17).

To send takes the permission to use each target and group that is named, and of a group each
member. Matchers may lead to anybody: who is held to names says whom to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pipeline.access import Caller, Permission
from pipeline.desk.alarms import LocalAlarms
from pipeline.desk.base import Document, Parts
from pipeline.desk.past import seen
from pipeline.desk.told import PREVIEW_FORMATS
from pipeline.errors import Forbidden, InvalidValue
from pipeline.kinds import Kind
from pipeline.masking import mask_url
from pipeline.notification import ALARM_REPEAT, ALARM_TRANSITION, Notification, Occurrence
from pipeline.past import Reference, as_told
from pipeline.registry import one_of
from pipeline.severity import checked
from pipeline.templates import Rendered
from pipeline.templates.render import Source

_EXAMPLE_ID: Final = "00000000-0000-0000-0000-000000000000"
_SHIPPED: Final = "shipped"
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class LocalNotifications:
    """`desk.base.Notifications`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def kinds(self) -> list[Document]:
        """All kinds; those of people's own last."""
        self._caller.require(Permission.AUDIT)
        kinds = sorted(self._parts.kinds, key=lambda kind: not kind.builtin)
        return [kind_document(kind) for kind in kinds]

    def kind(self, id: str) -> Document:
        """One kind."""
        self._caller.require(Permission.AUDIT)
        return kind_document(self._parts.kinds.find(id))

    def templates(self) -> list[Document]:
        """Where each kind's words come from."""
        self._caller.require(Permission.AUDIT)
        templates = self._parts.templates
        return [
            {
                "kind": kind.id,
                **{part: _named(source) for part, source in templates.sources(kind).items()},
            }
            for kind in self._parts.kinds
        ]

    def preview(
        self,
        kind: str,
        format: str = "text",
        *,
        of: Reference | None = None,
        alarm: str | None = None,
        fields: Mapping[str, Any] = _NONE,
        severity: str | None = None,
    ) -> Document:
        """What a notification says."""
        self._caller.require(Permission.AUDIT)
        if format not in PREVIEW_FORMATS:
            hint = one_of(format, PREVIEW_FORMATS)
            raise InvalidValue(f"unknown format {format!r}. {hint}", "format")
        found = self._parts.kinds.find(kind)
        if of is None:
            notification = self._example(found, fields)
        else:
            notification = self._of_past(found, of, alarm)
        if severity is not None:
            notification = Notification(
                notification.notification_id,
                checked(severity),
                notification.created_at,
                notification.subject,
            )
        rendered = self._parts.templates.render(notification, tried=True)
        body = _body(rendered, format)
        return {
            "title": rendered.title,
            "body": body,
            # A title that fails is told of again by each body that shows it.
            "failures": list(dict.fromkeys(map(str, rendered.failures))),
        }

    def send(
        self,
        kind: str,
        fields: Mapping[str, Any],
        severity: str | None = None,
        to: Sequence[str] = (),
    ) -> Document:
        """Send one, and where it goes."""
        self._caller.require(Permission.USE)
        if self._caller.names is not None and not to:
            raise Forbidden(
                "matchers may lead to anybody, and you are held to some names. "
                "Say whom to tell: name targets or groups."
            )
        found = self._parts.kinds.find(kind)
        self._check_use(to)
        sent = self._parts.sender().send(found, found.read(fields), severity, to)
        return {
            "notification_id": sent.notification.notification_id,
            "actions": [mask_url(action) for action in sent.actions],
            "nobody": sent.nobody,
        }

    def _check_use(self, names: Sequence[str]) -> None:
        """Raise `Forbidden` for a target or group that is not the caller's to use."""
        alarms = LocalAlarms(self._parts, self._caller)
        for name in names:
            for scheme in ("target", "group"):
                alarms.may_tell(f"{scheme}:{name}")

    def _of_past(self, kind: Kind, of: Reference, alarm: str | None) -> Notification:
        asked = None
        if alarm is not None:
            asked = LocalAlarms(self._parts, self._caller).found(alarm)
        past, meant = seen(self._parts, self._caller, of)
        found = as_told(past, meant, asked, again=kind.id == ALARM_REPEAT)
        if found.kind == kind.id:
            return found
        if found.alarm and found.kind in (ALARM_TRANSITION, ALARM_REPEAT):
            raise InvalidValue(
                f"an event is told of by {ALARM_TRANSITION} and {ALARM_REPEAT}. "
                f"For {kind.id} give --field."
            )
        raise InvalidValue(f"what was told there is of kind {found.kind}, not {kind.id}.")

    def _example(self, kind: Kind, fields: Mapping[str, Any]) -> Notification:
        values = {**kind.example_fields, **kind.read_some(fields)}
        subject = Occurrence(kind.id, values)
        return Notification(_EXAMPLE_ID, kind.severity, self._parts.clock(), subject)


def kind_document(kind: Kind) -> Document:
    """A kind as the desk tells of it."""
    return {
        "id": kind.id,
        "description": kind.description,
        "severity": kind.severity,
        "policy": kind.policy.value,
        "target": kind.target,
        "template": kind.template_name,
        "fields": [
            {"name": n, "type": f.type, "required": f.required, "description": f.description}
            for n, f in kind.fields.items()
        ],
        "other_fields": kind.extra_fields,
        "builtin": kind.builtin,
    }


def _named(source: Source) -> str:
    return _SHIPPED if source.owner == _SHIPPED else source.file


def _body(rendered: Rendered, format: str) -> str:
    return "" if format == "subject" else str(getattr(rendered, format))
