"""Gotify: a message pushed to a Gotify server, as Proxmox pushes it (notifications 5).

    POST {server}/message
    {"title": …, "message": "```\n…\n```", "priority": 5,
     "extras": {"client::display": {"contentType": "text/markdown"}}}

The body is the notification's plain text in a code fence: columns stay columns on a phone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pipeline.errors import InvalidValue
from pipeline.notification import Delivery
from pipeline.targets import options
from pipeline.targets.base import HttpTarget
from pipeline.targets.http import Request
from pipeline.targets.options import HttpSchema

PRIORITIES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "info": 1,
        "notice": 3,
        "low": 3,
        "warning": 5,
        "moderate": 5,
        "error": 9,
        "critical": 10,
        "unknown": 3,
    }
)
"""Proxmox's, and Aodh's words beside them; 10 is as high as Gotify goes."""

_SECURE = MappingProxyType({"gotify": "http", "gotifys": "https"})


class GotifySchema(HttpSchema):
    """The options of a Gotify server."""

    server = options.url(required=True)
    token = options.secret(required=True)


class GotifyTarget(HttpTarget):
    """Pushes messages to a Gotify server."""

    schema = GotifySchema
    timeout_seconds = 10.0

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """`gotify://host:port/path/TOKEN`; `gotifys` for https."""
        parts = urlsplit(action)
        path, _, token = parts.path.rstrip("/").rpartition("/")
        if not (parts.netloc and token):
            raise InvalidValue("Write gotify://HOST/TOKEN, or gotifys://HOST/TOKEN for https.")
        server = f"{_SECURE[parts.scheme]}://{parts.netloc}{path}"
        return {"server": server, "token": unquote(token)}

    def request(self, delivery: Delivery) -> Request:
        """The message, with the token in the headers."""
        token, told = self._options["token"], delivery.notification
        rendered = self._tools.templates.render(told)
        message = {
            "title": rendered.title,
            "message": _fenced(rendered.text),
            "priority": PRIORITIES[told.severity],
            "extras": {"client::display": {"contentType": "text/markdown"}},
        }
        headers = {
            "content-type": "application/json",
            "Authorization": f"Bearer {token}",
            "X-Gotify-Key": token,
            "webhook-id": delivery.delivery_id,
        }
        url = f"{self._options['server'].rstrip('/')}/message"
        return Request(url, json.dumps(message).encode("ascii"), headers, secrets=(token,))


def _fenced(text: str) -> str:
    """The text in a code fence that nothing in the text can end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
