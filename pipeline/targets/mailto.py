"""Mailto: `mailto:a@b.example,c@d.example` as an action (alarms 8).

The mail goes to the server that `delivery.mail_server` names, else to the machine's sendmail.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pipeline.errors import InvalidValue
from pipeline.notification import Delivery, Outcome
from pipeline.registry import one_of
from pipeline.targets.base import Target, Tools
from pipeline.targets.mail import MailSchema
from pipeline.targets.sendmail import SendmailTarget
from pipeline.targets.smtp import SmtpSchema, SmtpTarget

_MODES: Final[Mapping[str, str]] = MappingProxyType(
    {"smtp": "insecure", "smtp+starttls": "starttls", "smtps": "tls"}
)


class MailtoTarget:
    """Sends mail the way that the settings say."""

    schema = MailSchema
    heeds_guard = True  # it is an admin who named the server

    def __init__(self, given: Mapping[str, Any], tools: Tools) -> None:
        self._way: Target
        if url := tools.settings.mail_server:
            options = {**SmtpSchema().load(server_options(url) | {"mailto": "x@x"}), **given}
            self._way = SmtpTarget(options, tools)
        else:
            self._way = SendmailTarget(given, tools)

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """`mailto:` and the addresses, with commas between them."""
        addresses, question, _ = action.partition(":")[2].partition("?")
        if question or addresses.startswith("//"):
            raise InvalidValue("Write mailto:name@host.example, and nothing more.")
        return {"mailto": unquote(addresses)}

    def deliver(self, delivery: Delivery) -> Outcome:
        """Send the mail."""
        return self._way.deliver(delivery)

    def close(self) -> None:
        """Let go of what the way has."""
        self._way.close()


def server_options(url: str) -> dict[str, Any]:
    """The options of `smtp` that a mail server's URL stands for. Raises `InvalidValue`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidValue(f"{error}. Write smtps://user:password@host.") from error
    if parts.scheme not in _MODES:
        raise InvalidValue(f"unknown scheme {parts.scheme!r}. {one_of(parts.scheme, _MODES)}")
    if not parts.hostname:
        raise InvalidValue("names no host. Write smtps://user:password@host.")
    return {
        "server": parts.hostname,
        "port": port,
        "mode": _MODES[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
