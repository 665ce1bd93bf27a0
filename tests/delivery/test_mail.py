"""What a mail says and to whom it goes, as servers and readers see it (notifications 2 to 4)."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Delivery, Failed, Outcome, Refused
from pipeline.targets import mail
from pipeline.targets.base import Tools
from pipeline.targets.mailto import server_options
from pipeline.targets.settings import DeliverySettings
from pipeline.templates.render import _Writing

from builders import NOON, a_delivery, a_notification, an_occurrence
from delivery.mail_server import HOST, MailServer, authority_file, mail_server
from delivery.receivers import PATIENCE, Unruly

Deliver = Callable[..., Outcome]


class Words(NamedTuple):
    """A notification in words."""

    title: str
    text: str
    html: str


@pytest.fixture
def log() -> CapturingLogger:
    """What the targets log to."""
    return CapturingLogger()


@pytest.fixture
def deliver(log: CapturingLogger) -> Iterator[Deliver]:
    """Delivers to a target of a type with these options; `settings` are of section delivery."""
    opened = []

    def deliver(type: str, options: Any, told: Delivery | None = None, **settings: Any) -> Outcome:
        tools = Tools.by(DeliverySettings(**{**PATIENCE, **settings}), lambda: NOON, log)
        opened.append(tools)
        target = targets.from_options(type, options, tools)
        return target.deliver(told or a_delivery("target:mail"))

    yield deliver
    for tools in opened:
        tools.http.close()


def _options(server: MailServer, **changes: Any) -> dict[str, Any]:
    return {
        "server": HOST,
        "port": server.port,
        "mode": "insecure",
        "mailto": ["ops@example.org"],
        "from-address": "tocsin@example.org",
        **changes,
    }


# --- what is sent --------------------------------------------------------------------------------


def test_a_mail_has_text_and_html_and_says_that_no_person_wrote_it(deliver: Deliver) -> None:
    """notifications 3, 4."""
    told = a_delivery("target:mail", delivery_id="d-1")
    with mail_server() as server:
        outcome = deliver("smtp", _options(server, author="Tocsin in Köln"), told)
        (came,) = server.mails

    assert isinstance(outcome, Delivered)
    assert came.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in came.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert came["Auto-Submitted"] == "auto-generated"
    assert came["From"] == "Tocsin in Köln <tocsin@example.org>"
    assert came["Message-ID"] == "<d-1@example.org>"
    assert came["Date"].datetime == NOON


def test_every_attempt_is_the_same_mail(deliver: Deliver) -> None:
    """delivery 3: a mail system can tell a repeat by its Message-ID."""
    told = a_delivery("target:mail")
    with mail_server() as server:
        for _ in range(2):
            deliver("smtp", _options(server), told)
        first, second = ([part.as_string() for part in m.iter_parts()] for m in server.mails)
        ids = {came["Message-ID"] for came in server.mails}

    assert first == second
    assert len(ids) == 1


@pytest.mark.parametrize(
    "name", ["zoë ✓ Ελλάδα", "a\r\nBcc: x@example.org", "n" * 120, 'quo"ted', "ä" * 120]
)
def test_a_subject_comes_back_on_one_line(deliver: Deliver, name: str) -> None:
    """notifications 3, 15."""
    told = a_delivery("target:mail", notification=a_notification(alarm_name=name))
    with mail_server() as server:
        deliver("smtp", _options(server), told)
        (came,) = server.mails

    assert " ".join(name.split()) in str(came["Subject"])
    assert came["Bcc"] is None
    assert max(len(line) for line in server.raw[0].split(b"\r\n")) <= 998
    assert server.raw[0].isascii()


@given(title=st.text(), text=st.text(), html=st.text())
def test_any_words_are_a_mail_that_can_be_read_back(title: str, text: str, html: str) -> None:
    composed = mail.compose(
        a_delivery(), Words(title, text, html), "a@example.org", "Ä", ["b@example.org"]
    )
    raw = bytes(composed)

    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert composed["Bcc"] is None


def test_an_address_may_have_any_letters(deliver: Deliver) -> None:
    """notifications 3: the domain goes as ASCII; before the @ the server must know SMTPUTF8."""
    to = ["zoë@bücher.example", "ops@bücher.example"]
    with mail_server() as server:
        outcome = deliver("smtp", _options(server, mailto=to))
        (envelope,) = server.envelopes

    assert isinstance(outcome, Delivered)
    assert envelope.rcpt_tos == ["zoë@xn--bcher-kva.example", "ops@xn--bcher-kva.example"]


def test_recipients_are_told_once_in_their_order(deliver: Deliver) -> None:
    """notifications 2."""
    users = {"ann": "ann@example.org", "bob@pve": "b@example.org"}
    options = {"mailto": "b@example.org, a@example.org,b@example.org", "mailto-user": ["ann"]}
    with mail_server() as server:
        deliver("smtp", {**_options(server), **options}, mail_users=users)
        (envelope,) = server.envelopes
        (came,) = server.mails

    assert envelope.rcpt_tos == ["b@example.org", "a@example.org", "ann@example.org"]
    assert came["To"] == "b@example.org, a@example.org, ann@example.org"


# --- to whom -------------------------------------------------------------------------------------


def test_a_user_without_an_address_is_warned_of(deliver: Deliver, log: CapturingLogger) -> None:
    """notifications 2."""
    with mail_server() as server:
        options = _options(server, **{"mailto-user": ["nobody@pve", "root@pam"]})
        outcome = deliver("smtp", options, mail_users={"root": "root@example.org"})
        (envelope,) = server.envelopes

    assert isinstance(outcome, Delivered)
    assert envelope.rcpt_tos == ["ops@example.org", "root@example.org"]
    (warned,) = log.calls
    assert warned.method_name == "warning"
    assert warned.kwargs["users"] == ["nobody@pve"]


def test_a_mail_that_no_template_can_put_into_words_is_refused(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """notifications 15."""

    def fail(*_: Any) -> None:
        raise InvalidValue("no subject template of backup can be used")

    monkeypatch.setattr(_Writing, "write", fail)
    outcome = deliver("smtp", {"server": HOST, "port": 1, "mailto": "a@example.org"})

    assert outcome == Refused("no subject template of backup can be used")


def test_a_mail_for_nobody_is_refused(deliver: Deliver) -> None:
    with mail_server() as server:
        options = _options(server, mailto=[], **{"mailto-user": "nobody"})
        outcome = deliver("smtp", options)

    assert outcome == Refused("no address is known of nobody. Name it in delivery.mail_users")


@pytest.mark.parametrize(
    ("user", "local", "address"),
    [
        ("root", True, "root"),
        ("root@pam", True, "root"),
        ("root@pam", False, None),
        ("ann@pve", True, None),
        ("listed@pve", False, "l@example.org"),
    ],
)
def test_the_machines_own_users_have_an_address_where_it_delivers(
    user: str, local: bool, address: str | None
) -> None:
    to = mail.recipients(
        {"mailto": (), "mailto_user": (user,)}, {"listed@pve": "l@example.org"}, local=local
    )

    assert to.addresses == (() if address is None else (address,))
    assert to.without == (() if address else (user,))


# --- how it is sent ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_a_mail_goes_encrypted_and_signed_in(deliver: Deliver, mode: str, tmp_path: Path) -> None:
    """notifications 3."""
    authority = trustme.CA()
    login = {"username": "user", "password": "hunter22", "mode": mode}
    with mail_server(mode, ("user", "hunter22"), authority) as server:
        options = _options(server, **login, ca_bundle=authority_file(authority, tmp_path))
        outcome = deliver("smtp", options)

    assert isinstance(outcome, Delivered)
    assert len(server.mails) == 1


def test_a_password_may_have_any_letters(deliver: Deliver) -> None:
    """notifications 3; RFC 4616 wants UTF-8."""
    login = ("zoë", "pässwörd")
    with mail_server(login=login) as server:
        outcome = deliver("smtp", _options(server, username=login[0], password=login[1]))

    assert isinstance(outcome, Delivered)
    assert len(server.mails) == 1


def test_a_password_that_a_server_cannot_be_told_is_refused_and_not_told(
    deliver: Deliver,
) -> None:
    """CRAM-MD5 is what smtplib prefers, and knows of ASCII alone."""
    ended = threading.Event()

    def want_cram(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example.org\r\n")
        connection.recv(1_000)
        connection.sendall(b"250-mail.example.org\r\n250 AUTH CRAM-MD5\r\n")
        connection.recv(1_000)
        connection.sendall(b"334 " + base64.b64encode(b"<1@mail.example.org>") + b"\r\n")
        ended.wait(60)

    with Unruly(want_cram, speaks_first=True) as server:
        port = urlsplit(server.url).port
        options = {"server": HOST, "port": port, "mode": "insecure", "mailto": "a@b"}
        outcome = deliver("smtp", {**options, "username": "zoe", "password": "schlüssel"})
        ended.set()

    assert isinstance(outcome, Refused)
    assert "beyond ASCII" in outcome.reason
    assert "schl" not in outcome.reason


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_a_server_whose_certificate_does_not_verify_gets_no_password(
    deliver: Deliver, mode: str
) -> None:
    with mail_server(mode, ("user", "hunter22")) as server:
        outcome = deliver(
            "smtp", _options(server, mode=mode, username="user", password="hunter22")
        )

    assert isinstance(outcome, Failed)
    assert "certificate does not verify: unable to get local issuer" in outcome.reason
    assert "ca-bundle" in outcome.reason
    assert server.mails == []


def test_a_server_without_starttls_gets_nothing_in_clear(deliver: Deliver) -> None:
    with mail_server() as server:
        outcome = deliver("smtp", _options(server, mode="starttls"))

    assert isinstance(outcome, Failed)
    assert server.mails == []


def test_a_wrong_password_is_refused_and_not_told(deliver: Deliver) -> None:
    with mail_server(login=("user", "right")) as server:
        outcome = deliver("smtp", _options(server, username="user", password="wrong-hunter22"))

    assert isinstance(outcome, Refused)
    assert outcome.status == 535
    assert "hunter22" not in repr(outcome)


@pytest.mark.parametrize(
    ("answer", "expected"), [("451 try later", Failed), ("554 spam", Refused)]
)
def test_a_server_that_takes_no_mail_says_whether_to_come_again(
    deliver: Deliver, answer: str, expected: type[Outcome]
) -> None:
    """delivery 4, in SMTP's words."""
    with mail_server() as server:
        server.answers["DATA"] = answer
        outcome = deliver("smtp", _options(server))

    assert isinstance(outcome, expected)
    assert answer in outcome.reason  # type: ignore[union-attr]


def test_a_recipient_that_is_refused_does_not_keep_the_mail_from_the_others(
    deliver: Deliver,
) -> None:
    with mail_server() as server:
        server.refused["gone@example.org"] = "550 no such user"
        outcome = deliver("smtp", _options(server, mailto="gone@example.org,ops@example.org"))

    assert isinstance(outcome, Delivered)
    assert outcome.response_head == "not taken: gone@example.org: 550 no such user\n"


def test_a_recipient_that_is_not_taken_now_is_tried_again(deliver: Deliver) -> None:
    with mail_server() as server:
        server.refused["greylisted@example.org"] = "451 come back"
        outcome = deliver("smtp", _options(server, mailto="greylisted@example.org,o@example.org"))

    assert isinstance(outcome, Failed)
    assert "greylisted@example.org" in outcome.reason


def test_a_conversation_does_not_go_on_for_ever(deliver: Deliver) -> None:
    """delivery 6: each line comes in time, but there is no end to them."""
    ended = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example.org\r\n")
        while not ended.wait(0.05):
            connection.sendall(b"250-and another thing\r\n")

    with Unruly(talk, speaks_first=True) as server:
        port = urlsplit(server.url).port
        outcome = deliver(
            "smtp", {"server": HOST, "port": port, "mode": "insecure", "mailto": "a@b"}
        )
        ended.set()

    assert outcome == Failed(f"{HOST}:{port} did not answer in time")


def test_a_greeting_does_not_go_on_for_ever(deliver: Deliver) -> None:
    """delivery 6: each byte comes in time, but no line ends."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"220-")
        for _ in range(100):
            if ended.wait(0.05):
                break
            connection.sendall(b"x")

    with Unruly(drip, speaks_first=True) as server:
        port = urlsplit(server.url).port
        outcome = deliver(
            "smtp", {"server": HOST, "port": port, "mode": "insecure", "mailto": "a@b"}
        )
        ended.set()

    assert outcome == Failed(f"{HOST}:{port} did not answer in time")


@pytest.mark.parametrize("farewell", ["421 too busy", "250 not yet"])
def test_a_mail_that_was_taken_is_delivered_whatever_is_said_at_the_end(
    deliver: Deliver, farewell: str
) -> None:
    """delivery 3: it would come once more with every retry."""
    with mail_server() as server:
        server.farewell = farewell
        outcome = deliver("smtp", _options(server))

    assert isinstance(outcome, Delivered)
    assert len(server.mails) == 1


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"username": "user"}, "password: A username needs a password"),
        ({"mailto": []}, "Name a recipient: mailto, or mailto-user."),
        ({"mailto": "no address <x>"}, "'no address <x>' is not a mail address"),
        ({"from-address": "a@"}, "'a@' is not a mail address"),
        ({"mode": "ssl"}, "mode: Must be one of: insecure, starttls, tls."),
        ({"port": 0}, "port: Must be greater than or equal to 1"),
        ({"servr": "x"}, "Did you mean 'server'?"),
    ],
)
def test_options_that_do_not_fit_are_refused(changes: dict[str, Any], why: str) -> None:
    options = {"server": "mail.example.org", "mailto": "a@example.org", **changes}

    with pytest.raises(InvalidValue) as refusal:
        targets.loaded(targets.of_type("smtp"), options)
    assert why in str(refusal.value)


@pytest.mark.parametrize(("mode", "port"), [("insecure", 25), ("starttls", 587), ("tls", 465)])
def test_each_mode_has_its_port(mode: str, port: int, deliver: Deliver) -> None:
    """notifications 3."""
    options = {"server": "nobody.invalid", "mode": mode, "mailto": "a@example.org"}
    outcome = deliver("smtp", options)

    assert isinstance(outcome, Failed)
    assert f"nobody.invalid:{port}" in outcome.reason


# --- sendmail ------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program in the place of sendmail that writes down what it is given."""
    path = tmp_path / "sendmail"
    path.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\ncat > {tmp_path}/mail\n')
    path.chmod(0o755)
    return path


def test_sendmail_is_given_the_mail_and_its_envelope(deliver: Deliver, program: Path) -> None:
    """notifications 2."""
    options = {"mailto": ["a@example.org"], "mailto-user": ["root@pam"], "from-address": "t@x.org"}
    outcome = deliver("sendmail", options, sendmail=str(program))

    assert isinstance(outcome, Delivered)
    given = (program.parent / "arguments").read_text()
    assert given == "-i -B 8BITMIME -f t@x.org -- a@example.org root\n"
    assert b"To: a@example.org, root\r\n" in (program.parent / "mail").read_bytes()


def test_a_machine_without_sendmail_is_told_how_to_mend_it(deliver: Deliver) -> None:
    outcome = deliver("sendmail", {"mailto": "a@example.org"}, sendmail="/nowhere/sendmail")

    assert outcome == Failed(
        "cannot run /nowhere/sendmail: no such file or directory. Install a mail system, or name"
        " its sendmail program in delivery.sendmail"
    )


# --- mailto: -------------------------------------------------------------------------------------


def test_a_mailto_action_goes_by_the_server_of_the_settings(deliver: Deliver) -> None:
    """alarms 8."""
    action = "mailto:a@example.org,zo%C3%AB@example.org"
    options = targets.of_type("mail").options_of(action)
    with mail_server(login=("user", "p w")) as server:
        url = f"smtp://user:p%20w@{HOST}:{server.port}"
        outcome = deliver("mail", options, mail_server=url, mail_from="t@example.org")
        (envelope,) = server.envelopes

    assert isinstance(outcome, Delivered)
    assert envelope.rcpt_tos == ["a@example.org", "zoë@example.org"]
    assert envelope.mail_from == "t@example.org"


def test_a_mailto_action_goes_by_sendmail_without_one(deliver: Deliver, program: Path) -> None:
    outcome = deliver("mail", {"mailto": "a@example.org"}, sendmail=str(program))

    assert isinstance(outcome, Delivered)
    assert (program.parent / "mail").exists()


@pytest.mark.parametrize("action", ["mailto:", "mailto:a b", "mailto://a@b", "mailto:a@b?cc=c@d"])
def test_a_mailto_action_that_names_no_address_is_refused(action: str) -> None:
    with pytest.raises(InvalidValue, match="Unable to parse action"):
        targets.check_action(action)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("smtp://h", ("h", None, "insecure", "", "")),
        ("smtp+starttls://u:p@h:2525", ("h", 2525, "starttls", "u", "p")),
        ("smtps://u%40d:p%2Fw@h", ("h", None, "tls", "u@d", "p/w")),
    ],
)
def test_a_mail_servers_url_says_how_to_send(url: str, options: tuple[Any, ...]) -> None:
    assert tuple(server_options(url).values()) == options


@pytest.mark.parametrize("url", ["imap://h", "smtp://", "smtp://h:port", "h"])
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue):
        server_options(url)


def test_any_occurrence_can_be_mailed(deliver: Deliver) -> None:
    told = a_delivery("target:mail", notification=an_occurrence("maintenance", "notice", host="a"))
    with mail_server() as server:
        outcome = deliver("smtp", _options(server), told)

    assert isinstance(outcome, Delivered)
    assert "maintenance" in server.raw[0].decode().lower()
