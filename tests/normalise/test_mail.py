"""Mails become events; those that would let mails answer mails for ever do not
(notifications 18)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.envelope import Envelope, open_envelope
from pipeline.envelope.mail import MEDIA_TYPE, OWN_HEADER
from pipeline.event import Event, Rejected
from pipeline.normalise import Normaliser, compiled
from pipeline.normalise.settings import SHIPPED_DEFINITIONS
from pipeline.targets.mail import compose
from pipeline.templates import Rendered
from pipeline.yaml_source import load_file

from builders import NOON, a_delivery


def a_mail(text: str = "Disk sda fails.", **headers: str) -> EmailMessage:
    """A mail from smartd on a machine; `headers` replace its own, _ for -."""
    mail = EmailMessage(policy=SMTP)
    own = {
        "From": "smartd <root@node-1.example>",
        "To": "root@node-1.example, ops@example.net",
        "Subject": "SMART error (FailedOpenDevice) on Büro-1",
        "Date": "Fri, 02 Jan 2026 13:00:00 +0100",
        "Message-ID": "<1.2@node-1.example>",
    }
    for name, value in (own | {k.replace("_", "-"): v for k, v in headers.items()}).items():
        mail[name] = value
    mail.set_content(text)
    return mail


def opened(mail: EmailMessage | bytes) -> Envelope | Rejected:
    body = mail if isinstance(mail, bytes) else mail.as_bytes()
    return open_envelope(body, f"{MEDIA_TYPE}; charset=x", received_at=NOON)


def event_of(mail: EmailMessage) -> Event:
    normaliser = Normaliser(compiled(load_file(SHIPPED_DEFINITIONS)))
    envelope = opened(mail)
    assert isinstance(envelope, Envelope)
    found = normaliser.normalise(envelope)
    assert isinstance(found, Event)
    return found


def test_a_mail_is_an_event_with_its_headers_and_text() -> None:
    event = event_of(a_mail(List_Id="<alerts.example>", X_Priority="1 (Highest)"))
    assert (event.event_type, event.message_id) == ("mail.received", "1.2@node-1.example")
    assert event.generated == datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert event.values["from"] == "root@node-1.example"
    assert event.values["to"] == "root@node-1.example"
    assert event.values["subject"] == "SMART error (FailedOpenDevice) on Büro-1"
    assert str(event.values["text"]).strip() == "Disk sda fails."
    assert event.values["list_id"] == "<alerts.example>"
    assert event.values["priority"] == "error"


def test_html_alone_is_read_without_its_tags_and_attachments_are_not() -> None:
    mail = a_mail()
    mail.set_content("<style>p {}</style><p>Disk &amp; <b>fan</b></p>", subtype="html")
    mail.add_attachment(b"no text", maintype="text", subtype="plain", filename="a.txt")
    found = opened(mail)
    assert isinstance(found, Envelope)
    assert found.document["payload"]["text"].split() == ["Disk", "&", "fan"]


def test_a_long_text_is_cut_and_says_so() -> None:
    found = opened(a_mail("x" * 20_000))
    assert isinstance(found, Envelope)
    payload = found.document["payload"]
    assert (len(payload["text"]), payload["truncated"]) == (8_192, True)


def our_mail() -> EmailMessage:
    told = Rendered(lambda name, form: "Disk fails", [])
    return compose(a_delivery(), told, "root@node-1.example", "Tocsin", ["root@node-1.example"])


def a_bounce(kind: str) -> EmailMessage:
    mail = a_mail("It could not be delivered.")
    mail.make_mixed()
    if kind == "whole":
        mail.add_attachment(our_mail())
    else:
        head = our_mail().as_bytes().partition(b"\r\n\r\n")[0]
        mail.add_attachment(head, maintype="text", subtype="rfc822-headers")
    mail.set_type("multipart/report")
    return mail


@pytest.mark.parametrize(
    ("mail", "said"),
    [
        (our_mail(), "sent itself"),
        (a_mail(Auto_Submitted="auto-replied (vacation)"), "automatic answer"),
        (a_bounce("whole"), "could not be delivered"),
        (a_bounce("head"), "could not be delivered"),
    ],
)
def test_what_would_answer_our_own_mails_is_cut(mail: EmailMessage, said: str) -> None:
    found = opened(mail)
    assert isinstance(found, Rejected)
    assert said in found.reason


def test_what_another_program_sends_by_itself_is_taken() -> None:
    """That is what machines send; only answers and our own mails are cut."""
    assert isinstance(opened(a_mail(Auto_Submitted="auto-generated")), Envelope)


def test_a_mail_that_names_itself_nothing_is_known_by_what_it_is() -> None:
    mail = a_mail()
    del mail["Message-ID"], mail["Date"]
    one, two = opened(mail), opened(mail)
    assert isinstance(one, Envelope)
    assert isinstance(two, Envelope)
    assert one.message_id == two.message_id
    assert one.generated == NOON


@given(st.binary(max_size=400), st.sampled_from([b"", b"From: ", b"Content-Type: ", b"Date: "]))
def test_whatever_comes_as_a_mail_is_an_event_or_is_rejected(body: bytes, head: bytes) -> None:
    assert isinstance(opened(head + body), (Envelope, Rejected))


@given(st.dictionaries(st.sampled_from(["To", "Subject", "Date", "Message-ID", "Content-Type",
                                        "Content-Transfer-Encoding", "X-Priority"]),
                       st.text(max_size=60)))  # fmt: skip
def test_whatever_headers_say_is_taken(headers: dict[str, Any]) -> None:
    lines = [f"{name}: {value}".encode("utf-8", "surrogatepass").replace(b"\n", b" ")
             for name, value in headers.items()]  # fmt: skip
    found = opened(b"\r\n".join([*lines, b"", b"text"]))
    assert isinstance(found, (Envelope, Rejected))


def test_each_mail_that_we_send_can_be_told() -> None:
    assert our_mail()[OWN_HEADER]
