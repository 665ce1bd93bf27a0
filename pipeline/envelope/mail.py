"""A mail → what a notification of it holds (notifications 18).

A mail (`message/rfc822`) becomes an event `mail.received`. Tocsin's own mails that come back, the
mails that bounce them and automatic answers are told apart by their headers: whoever made events
of them would answer a mail with a mail, for ever. The standard library parses; whatever a sender
wrote, something comes out. Called by `pipeline.envelope` and by the HTTP listener.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from hashlib import sha256
from itertools import islice
from typing import Any, Final, NamedTuple

MEDIA_TYPE: Final = "message/rfc822"
OWN_HEADER: Final = "X-Tocsin-Delivery"
"""Stands in every mail that Tocsin sends, with the id of the delivery."""

EVENT_TYPE: Final = "mail.received"
_TEXT_LIMIT, _HEADER_LIMIT, _MOST_HEADERS = 8_192, 1_000, 100
_TAG = re.compile(r"<(?:style|script)\b.*?</(?:style|script)\s*>|<[^>]*>", re.DOTALL | re.I)
_PRIORITIES: Final = {
    **dict.fromkeys(("1", "2", "high", "urgent"), "error"),
    **dict.fromkeys(("4", "5", "low", "non-urgent"), "info"),
}


class Mail(NamedTuple):
    """What is taken of a mail; `date` is ISO 8601, None where it says none that can be read."""

    message_id: str
    sender: str
    priority: str | None
    date: str | None
    payload: dict[str, Any]


def is_mail(content_type: str | None) -> bool:
    """Whether a body of this type is a mail."""
    return (content_type or "").partition(";")[0].strip().lower() == MEDIA_TYPE


def why_cut(body: bytes) -> str | None:
    """Why no event is made of the mail, so that mails do not answer mails; None for others."""
    mail = message_from_bytes(body)
    if OWN_HEADER in mail:
        return "It is a mail that Tocsin sent itself, and came back."
    if _header(mail, "Auto-Submitted").lower().startswith("auto-replied"):
        return "It is an automatic answer (Auto-Submitted)."
    if mail.get_content_type() == "multipart/report" and _brings_back(mail):
        return "It tells of a mail that Tocsin sent, and could not be delivered."
    return None


def mail_of(body: bytes) -> Mail:
    """What is taken of the mail in these bytes: its first text, bounded, and its headers."""
    mail = message_from_bytes(body)
    text = _text(mail)
    sender = next(iter(_addresses(mail, "From")), "")
    payload = {
        "from": sender,
        "to": [*_addresses(mail, "To"), *_addresses(mail, "Cc")],
        "subject": _header(mail, "Subject"),
        "text": text[:_TEXT_LIMIT],
        "truncated": len(text) > _TEXT_LIMIT,
        "headers": dict(_headers(mail)),
    }
    given = _header(mail, "Message-ID").strip(" <>")
    return Mail(
        given or sha256(body).hexdigest(),
        sender,
        _priority(mail),
        _date(mail),
        payload,
    )


def _brings_back(report: Message) -> bool:
    """Whether one of the parts is, or has the headers of, a mail of Tocsin's."""
    for part in report.walk():
        if OWN_HEADER in part:
            return True
        if part.get_content_type() == "text/rfc822-headers":
            head = message_from_bytes(_bytes(part))
            if OWN_HEADER in head:
                return True
    return False


def _header(mail: Message, name: str) -> str:
    """A header's text on one line, `''` for none; as it stands where it cannot be decoded."""
    raw = str(mail.get(name, ""))
    try:
        decoded = str(make_header(decode_header(raw)))
    except (LookupError, ValueError, HeaderParseError):
        decoded = raw
    return " ".join(decoded.split())[:_HEADER_LIMIT]


def _headers(mail: Message) -> Iterator[tuple[str, str]]:
    for name in islice(dict.fromkeys(key.lower() for key in mail), _MOST_HEADERS):
        yield name[:_HEADER_LIMIT], _header(mail, name)


def _addresses(mail: Message, name: str) -> list[str]:
    found = getaddresses([_header(mail, name)])
    return [address for _, address in islice(found, _MOST_HEADERS) if address]


def _priority(mail: Message) -> str | None:
    """The priority of a notification that fits the importance that the mail gives itself."""
    for name in ("X-Priority", "Importance", "Priority", "X-MSMail-Priority"):
        words = _header(mail, name).lower().split()
        if words and (found := _PRIORITIES.get(words[0])):
            return found
    return None


def _date(mail: Message) -> str | None:
    try:
        return parsedate_to_datetime(_header(mail, "Date")).isoformat()
    except (TypeError, ValueError, OverflowError):
        return None


def _text(mail: Message) -> str:
    """The first plain text; else the first HTML without its tags."""
    parts = [part for part in mail.walk() if part.get_content_disposition() != "attachment"]
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == kind and not part.is_multipart():
                text = _decoded(part)
                return text if kind == "text/plain" else html.unescape(_TAG.sub(" ", text)).strip()
    return ""


def _decoded(part: Message) -> str:
    try:
        return _bytes(part).decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return _bytes(part).decode("utf-8", "replace")


def _bytes(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
