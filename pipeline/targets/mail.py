"""Mail: a notification → a mail, and whom it goes to (notifications 2 to 4).

Used by the targets `smtp`, `sendmail` and `mailto`,
which send it.

Where nothing names a sender it is root of this machine, by its full name.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import Any, Final

import idna
from marshmallow import ValidationError, fields, validates, validates_schema

from pipeline.envelope.mail import OWN_HEADER
from pipeline.errors import InvalidValue
from pipeline.notification import Delivery, Refused
from pipeline.targets import options
from pipeline.targets.base import Tools
from pipeline.targets.options import TargetSchema
from pipeline.templates import Rendered

_REALM: Final = "pam"
"""Proxmox's word for the users of the machine itself: `root@pam`."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_UNFIT = re.compile(r"[\x00-\x20\x7f<>,;]")


class Addresses(fields.Field[tuple[str, ...]]):
    """Mail addresses: a list, or a text with commas between them."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str, ...]:
        found = tuple(_listed(value))
        for address in found:
            _check_address(address)
        return found


class Names(fields.Field[tuple[str, ...]]):
    """Names of users: a list, or a text with commas between them."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str, ...]:
        return tuple(_listed(value))


class MailSchema(TargetSchema):
    """The options that every way to send mail has."""

    mailto = Addresses(load_default=())
    mailto_user = Names(load_default=())
    from_address = options.text(load_default="")
    author = options.text(load_default="")

    @validates("from_address")
    def _check_from_address(self, value: str, **_: Any) -> None:
        if value:
            _check_address(value)

    @validates_schema
    def _check_recipients(self, data: Mapping[str, Any], **_: Any) -> None:
        if not (data.get("mailto") or data.get("mailto_user")):
            raise ValidationError("Name a recipient: mailto, or mailto-user.")


@dataclass(frozen=True, slots=True)
class Ready:
    """A mail that is ready to be sent, with its envelope."""

    message: EmailMessage
    sender: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipients:
    """Whom a mail goes to, each once; and the users among them that have no address."""

    addresses: tuple[str, ...]
    without: tuple[str, ...] = ()


def ready(
    options: Mapping[str, Any], tools: Tools, delivery: Delivery, *, local: bool = False
) -> Ready | Refused:
    """The mail for a delivery; refused when it is for nobody, or every template fails. Users
    without an address are warned of, and counted."""
    settings = tools.settings
    to = recipients(options, settings.mail_users, local=local)
    if to.without:
        tools.log.warning("mail.no_address", users=list(to.without), target=delivery.action)
        for user in to.without:
            tools.observer.user_without_address(user)
    if not to.addresses:
        names = ", ".join(to.without)
        reason = f"no address is known of {names}. Name it in delivery.mail_users"
        return Refused(reason, asked=False)
    sender = options["from_address"] or settings.mail_from or f"root@{socket.getfqdn()}"
    author = options["author"] or settings.mail_author
    rendered = tools.templates.render(delivery.notification)
    try:
        message = compose(delivery, rendered, sender, author, to.addresses)
    except InvalidValue as error:
        return Refused(str(error), asked=False)
    return Ready(message, addr_spec(sender), tuple(map(addr_spec, to.addresses)))


def recipients(
    options: Mapping[str, Any], users: Mapping[str, str], *, local: bool = False
) -> Recipients:
    """The addresses of `mailto` and of the users in `mailto_user`, in that order, each once.

    `users` are the addresses of users by name. Where the machine itself delivers (`local`), a user
    of the machine (`root`, `root@pam`) has an address without being listed: the name.
    """
    found, without = list(options["mailto"]), []
    for user in options["mailto_user"]:
        name, _, realm = user.partition("@")
        address = users.get(user) or (users.get(name) if realm == _REALM else None)
        if address is None and local and realm in ("", _REALM):
            address = name
        if address is None:
            without.append(user)
        else:
            found.append(address)
    return Recipients(tuple(dict.fromkeys(found)), tuple(without))


def compose(
    delivery: Delivery, rendered: Rendered, sender: str, author: str, to: Sequence[str]
) -> EmailMessage:
    """The mail: multipart/alternative of text and HTML. The same for every attempt of a delivery,
    its Message-ID included, so that mail systems can tell a repeat.

    Only an address that is not ASCII before its @ makes it a mail for SMTPUTF8.
    """
    from_, receivers = _address(sender, author), [_address(each) for each in to]
    ascii_only = all(address.username.isascii() for address in (from_, *receivers))
    mail = EmailMessage(policy=SMTP if ascii_only else SMTPUTF8)
    mail["From"], mail["To"] = from_, receivers
    mail["Subject"] = _line(rendered.title)
    mail["Date"] = format_datetime(delivery.notification.created_at)
    mail["Message-ID"] = f"<{delivery.delivery_id}@{from_.domain or 'localhost'}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail[OWN_HEADER] = delivery.delivery_id
    mail.set_content(_sendable(rendered.text), cte="quoted-printable")
    mail.add_alternative(_sendable(rendered.html), subtype="html", cte="quoted-printable")
    return mail


def addr_spec(address: str) -> str:
    """The address as a mail server takes it: its domain in ASCII."""
    return _address(address).addr_spec


def _address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@") if "@" in address else (address, "", "")
    encoded = idna.encode(domain, uts46=True).decode() if not domain.isascii() else domain
    return Address(_line(name), local, encoded)


def _listed(value: Any) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise ValidationError("A list of texts is needed here, or a text with commas.")
    return [part.strip() for part in parts if part.strip()]


def _check_address(address: str) -> None:
    """Raise `ValidationError` for what is no address: `root`, `a@b.example`."""
    try:
        parsed = _address(address)
        usable = bool(parsed.username) and not _UNFIT.search(address)
    except (ValueError, idna.IDNAError):
        usable = False
    if not usable or address.endswith("@"):
        raise ValidationError(f"{address!r} is not a mail address. Write name@host.example.")


def _line(text: str) -> str:
    """The text on one line, without what a header cannot hold."""
    return " ".join(_sendable(_CONTROLS.sub(" ", text)).split())


def _sendable(text: str) -> str:
    """The text as UTF-8 can hold it."""
    return text.encode("utf-8", "replace").decode("utf-8")
