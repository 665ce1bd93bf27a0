"""A mail server of the tests' own: aiosmtpd on loopback, with TLS and authentication as asked.

with mail_server(tls="starttls", login=("user", "password")) as server:
    …
    (mail,) = server.mails        what came, parsed: an EmailMessage each
"""

from __future__ import annotations

import email.policy
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from ports import lasting_port

HOST = "127.0.0.1"


@dataclass
class MailServer:
    """Where it listens, and what came. `answers` are in place of its own, by command; `farewell`
    is what it says to QUIT."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    farewell: str = "221 Bye"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, unless it is one that is refused."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Say farewell."""
        return self.farewell

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep what came."""
        if "DATA" in self.answers:
            return self.answers["DATA"]
        content: Any = envelope.content
        self.raw.append(content)
        self.mails.append(BytesParser(policy=email.policy.default).parsebytes(content))
        self.envelopes.append(envelope)
        return "250 OK"


@contextmanager
def mail_server(
    tls: str = "",
    login: tuple[str, str] | None = None,
    authority: trustme.CA | None = None,
) -> Iterator[MailServer]:
    """A server that takes everything; `tls` is '', `starttls` or `tls`."""
    server = MailServer()
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (authority or trustme.CA()).issue_cert(HOST).configure_cert(context)
    controller = Controller(
        server,
        hostname=HOST,
        port=lasting_port(),
        ssl_context=context if tls == "tls" else None,
        tls_context=context if tls == "starttls" else None,
        require_starttls=tls == "starttls",
        authenticator=_checking(login) if login else None,
        auth_required=login is not None,
        auth_require_tls=tls == "starttls",
        enable_SMTPUTF8=True,
    )
    controller.start()
    try:
        server.port = controller.port
        yield server
    finally:
        controller.stop()


def authority_file(authority: trustme.CA, directory: Path) -> str:
    """A PEM file of the authority."""
    path = directory / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def _checking(login: tuple[str, str]) -> Callable[..., AuthResult]:
    def check(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = data.login.decode(), data.password.decode()
        return AuthResult(success=given == login, handled=False)

    return check
