"""Rendering: a notification → its title and body.

Called by targets, from many threads. Reads no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.errors import InvalidValue
from pipeline.notification import Notification


@dataclass(frozen=True, slots=True)
class Rendered:
    """A notification in words. The title is one line."""

    title: str
    text: str
    html: str
    markdown: str


class Templates:
    """The templates in force. Safe to use from many threads."""

    def __init__(self) -> None:
        self._environment = ImmutableSandboxedEnvironment(autoescape=False)
        self._compiled = lru_cache(maxsize=1_000)(self._environment.from_string)
        strict = self._environment.overlay(undefined=StrictUndefined)
        self._strictly = lru_cache(maxsize=1_000)(strict.from_string)

    def render(self, notification: Notification) -> Rendered:
        """The notification's title and body, by the templates of its kind."""
        title, text = _title(notification), _text(notification)
        return Rendered(title, text, f"<pre>{escape(text)}</pre>", text)

    def expand(
        self,
        template: str,
        notification: Notification,
        secrets: Mapping[str, str],
        *,
        strict: bool = False,
    ) -> str:
        """A template of a target's own options, filled in.

        It sees `title`, `message`, `severity`, `timestamp`, `kind`, `fields.*`, `traits.*` and
        `secrets.*`. Raises `InvalidValue` for one that fails, without the secrets' values. A name
        that is not there is empty; `strict`, it fails, for what must not be done with half of the
        facts.
        """
        rendered = self.render(notification)
        context = {
            "title": rendered.title,
            "message": rendered.text,
            "severity": notification.severity,
            "timestamp": int(notification.created_at.timestamp()),
            "kind": notification.kind,
            "fields": notification.fields,
            "traits": notification.fields.get("traits", {}),
            "secrets": secrets,
        }
        try:
            compiled = self._strictly if strict else self._compiled
            return compiled(template).render(context)
        except TemplateError as error:
            raise InvalidValue(f"the template fails: {error}") from error


def _title(notification: Notification) -> str:
    if alarm := notification.alarm:
        return f"{alarm.alarm_name}: {alarm.current.value}"
    return notification.kind


def _text(notification: Notification) -> str:
    pairs: dict[str, Any] = dict(notification.fields)
    return "\n".join(f"{name}: {value}" for name, value in pairs.items())
