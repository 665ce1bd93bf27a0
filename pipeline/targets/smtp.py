"""SMTP: mail handed to a mail server (notifications 3, 4).

Python's `smtplib` speaks the protocol. Its time-outs bound one call each; connecting is bounded as
it is for HTTP (`dial.py`), and a clock of our own ends a conversation that goes on for ever. What
the server says is kept, without the password.
"""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from time import monotonic
from types import MappingProxyType
from typing import Any, Final

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import OneOf, Range
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from pipeline.masking import MASK
from pipeline.notification import Delivered, Delivery, Failed, Outcome, Refused
from pipeline.outbound import AllowList
from pipeline.targets import mail, options
from pipeline.targets.base import Tools
from pipeline.targets.dial import NotConnected, NoTimeLeft, dialled
from pipeline.targets.mail import MailSchema
from pipeline.targets.route import Route
from pipeline.targets.settings import DeliverySettings

PORTS: Final[Mapping[str, int]] = MappingProxyType({"insecure": 25, "starttls": 587, "tls": 465})
_CONNECT_SECONDS: Final = 5.0
_KEPT: Final = 1024
_TAKEN, _FOR_GOOD = 250, 500
"""Answers of a server: it has the mail; from here on it says never rather than not now."""


class SmtpSchema(MailSchema):
    """The options of a mail server."""

    server = options.text(required=True)
    port = fields.Integer(strict=True, load_default=None, validate=Range(1, 65_535))
    mode = fields.String(load_default="tls", validate=OneOf(tuple(PORTS)))
    username = options.text(load_default="")
    password = options.secret(load_default="")
    verify = fields.Boolean(load_default=True)
    ca_bundle = options.text(load_default="")

    @validates_schema
    def _check_login(self, data: Mapping[str, Any], **_: Any) -> None:
        if bool(data.get("username")) is not bool(data.get("password")):
            missing = "password" if data.get("username") else "username"
            message = "A username needs a password, and a password a username."
            raise ValidationError(message, missing)


class SmtpTarget:
    """Hands mail to a mail server."""

    schema = SmtpSchema

    def __init__(self, given: Mapping[str, Any], tools: Tools) -> None:
        self._options, self._tools = given, tools
        self._port = given["port"] or PORTS[given["mode"]]
        self._who = f"{given['server']}:{self._port}"

    def deliver(self, delivery: Delivery) -> Outcome:
        """Send the mail to all recipients at once."""
        ready = mail.ready(self._options, self._tools, delivery)
        if isinstance(ready, Refused):
            return ready
        try:
            with self._conversation() as server:
                return self._sent(server, ready)
        except smtplib.SMTPRecipientsRefused as error:
            return self._judged(max(error.recipients.values()), "takes none of the recipients")
        except smtplib.SMTPSenderRefused as error:
            return self._judged((error.smtp_code, error.smtp_error), "does not take the sender")
        except smtplib.SMTPResponseException as error:
            return self._judged((error.smtp_code, error.smtp_error), "refuses")
        except (smtplib.SMTPNotSupportedError, smtplib.SMTPServerDisconnected) as error:
            return Failed(f"{self._who}: {self._masked(str(error))}")
        except ssl.SSLError as error:
            return Failed(f"no TLS with {self._who}: {_tls_reason(error)}")
        except TimeoutError:
            return Failed(f"{self._who} did not answer in time")
        except UnicodeError:
            reason = f"{self._who} cannot be told a username or password beyond ASCII"
            return Refused(reason, asked=False)
        except OSError as error:
            why = error.strerror or type(error).__name__
            return Failed(f"cannot connect to {self._who}: {why.lower()}")

    def close(self) -> None:
        """Nothing to let go of: each mail has a connection of its own."""

    def _sent(self, server: smtplib.SMTP, ready: mail.Ready) -> Outcome:
        if username := self._options["username"]:
            server.login(username, self._options["password"])
        refused = server.send_message(ready.message, ready.sender, ready.to)
        if later := [code for code, _ in refused.values() if code < _FOR_GOOD]:
            names = ", ".join(refused)
            return Failed(f"{self._who} does not take {names} now ({later[0]})", later[0])
        left_out = "".join(
            f"not taken: {address}: {code} {self._said(said)}\n"
            for address, (code, said) in refused.items()
        )
        return Delivered(_TAKEN, left_out[:_KEPT])

    @contextmanager
    def _conversation(self) -> Iterator[smtplib.SMTP]:
        """A connection to the server, encrypted as the mode says, that ends in time.

        What the server says to the farewell changes nothing: it has taken the mail by then.
        """
        mode, settings, over = self._options["mode"], self._tools.settings, threading.Event()
        context = _context(self._options, settings)
        route = Route(self._options["server"], self._port, context if mode == "tls" else None)
        try:
            with closing(_Server(route, settings.read_timeout_seconds, over)) as server:
                if mode == "starttls":
                    server.starttls(context=context)
                yield server
                with suppress(smtplib.SMTPException):
                    server.quit()
        except (OSError, smtplib.SMTPException) as error:
            if over.is_set():
                raise TimeoutError from error
            raise

    def _judged(self, answer: tuple[int, bytes | str], what: str) -> Outcome:
        code, said = answer[0], self._said(answer[1])
        reason = f"{self._who} {what}: {code} {said.splitlines()[0] if said else ''}".rstrip()
        return Refused(reason, code, said) if code >= _FOR_GOOD else Failed(reason, code, said)

    def _said(self, answer: bytes | str) -> str:
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        return self._masked("".join(c if c.isprintable() or c == "\n" else "�" for c in text))

    def _masked(self, text: str) -> str:
        """The text without the password, also as authentication writes it."""
        username, password = self._options["username"], self._options["password"]
        if password:
            plain = f"\0{username}\0{password}"
            for secret in (*map(_base64, (plain, password)), password):
                text = text.replace(secret, MASK)
        return text[:_KEPT]


class _Server(smtplib.SMTP):
    """A conversation with a mail server: from the greeting to the farewell it has one bound.

    `over` is set when that has come; whatever is still said is not heard any more.
    """

    def __init__(self, route: Route, seconds: float, over: threading.Event) -> None:
        self._route, self._seconds, self._over = route, seconds, over
        self._clock: threading.Timer | None = None
        super().__init__(route.host, route.port, socket.gethostname())

    def connect(self, *_: Any, **__: Any) -> tuple[int, bytes]:
        """Connect as the route says, and hear the greeting."""
        self.sock = _dialled(self._route)
        self.sock.settimeout(self._seconds)
        self._clock = threading.Timer(self._seconds, self._end)
        self._clock.daemon = True
        self._clock.start()
        return self.getreply()

    def auth(self, mechanism: str, authobject: Any, **how: Any) -> tuple[int, bytes]:
        """Sign in, with letters beyond ASCII as well (RFC 4616)."""

        def answer(*challenge: bytes) -> Any:
            found = authobject(*challenge)
            return None if found is None else _Utf8(found)

        answering: Any = answer
        return super().auth(mechanism, answering, **how)

    def close(self) -> None:
        """Hang up."""
        if self._clock:
            self._clock.cancel()
        super().close()

    def _end(self) -> None:
        self._over.set()
        if sock := self.sock:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class _Utf8(str):
    """A text that `smtplib`, which asks for its ASCII, gets as UTF-8."""

    def encode(self, *_: str) -> bytes:
        return super().encode()


def _dialled(route: Route) -> socket.socket:
    """A socket that leads there. Raises `OSError`."""
    try:
        return dialled(route, AllowList(), monotonic() + _CONNECT_SECONDS, _CONNECT_SECONDS)
    except NoTimeLeft as error:
        raise TimeoutError from error
    except NotConnected as error:
        cause = error.__cause__
        raise cause if isinstance(cause, OSError) else OSError("no such host") from error


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate does not verify: {error.verify_message}. Name its authority in"
            " delivery.ca_bundle or in the target's ca-bundle, or do without with verify=false"
        )
    return (error.reason or str(error)).replace("_", " ").lower()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _context(given: Mapping[str, Any], settings: DeliverySettings) -> ssl.SSLContext:
    authorities = given["ca_bundle"] or settings.ca_bundle or DEFAULT_CA_BUNDLE_PATH
    context = ssl.create_default_context(cafile=authorities)
    if not given["verify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
