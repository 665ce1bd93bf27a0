"""The one HTTP sender: every target that speaks HTTP posts through it.

It sees to time-outs, TLS, and the size of what comes back, translates whatever goes wrong into
an outcome, and keeps secrets out of it: an outcome names the receiver by scheme, host and port
only. It follows no redirect, keeps no cookie, uses no proxy and nothing else out of the
environment, and never unpacks a compressed answer.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from pipeline import __version__
from pipeline.dispatch import receiver
from pipeline.errors import InvalidValue
from pipeline.masking import MASK
from pipeline.notification import Failed, Outcome, Refused
from pipeline.targets.answer import Answer
from pipeline.targets.connection import (
    BadHost,
    Connections,
    NotConnected,
    NoTimeLeft,
    NotTaken,
    UnknownHost,
)
from pipeline.targets.endpoint import Endpoint, endpoint
from pipeline.targets.settings import DeliverySettings

READ_BYTES: Final = 64 * 1024
KEPT_BYTES: Final = 1024

_COOKIE = "set-cookie"
_HEADERS = {"user-agent": f"tocsin/{__version__}", "accept": "*/*", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Request:
    """What to send, once and for all attempts. `verify` None means what the settings say.

    `secrets` are those that stand in the headers or the body: of what comes back they are masked,
    like those in the URL.
    """

    url: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"
    verify: bool | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)


class HttpSender:
    """Sends to receivers and says what came of it. Safe to call from many threads.

    Raises `InvalidValue` when a certificate file of the settings cannot be used; they are read
    once, here.
    """

    def __init__(self, settings: DeliverySettings) -> None:
        self._verify = settings.verify
        self._timeouts = settings.connect_timeout_seconds, settings.read_timeout_seconds
        tls = {True: _verifying(settings), False: _unverifying(settings)}
        self._connections = Connections(tls, settings.per_target_concurrency, *self._timeouts)

    def send(
        self, request: Request, judge: Callable[[Answer], Outcome], by: float = inf
    ) -> Outcome:
        """Send it once; what `judge` makes of the answer. Credentials in the URL are sent as
        basic authentication.

        A target that sends several requests in one attempt says by when the attempt must end, a
        time of `time.monotonic`: no request lasts beyond it.
        """
        url = request.url
        try:
            there = endpoint(url, request.method)
        except ValueError:
            who = receiver(url)
            return Refused(f"{who} is not a URL that can be called. Correct the alarm's action")
        verify = self._verify if request.verify is None else request.verify
        try:
            answer, body = self._connections.send(
                there, verify, _written(there, request.body, request.headers), _read, by
            )
        except (OSError, http.client.HTTPException, NotConnected, NotTaken) as error:
            return self._outcome_of(error, there.who, by)
        lower = {name.lower(): value for name, value in answer.headers.items()}
        if _COOKIE in lower:
            lower[_COOKIE] = "\n".join(answer.headers.get_all(_COOKIE, []))
        plain = lower.get("content-encoding", "identity").strip().lower() in ("", "identity")
        kept = _kept(body, plain, there, request.secrets) if body else ""
        return judge(Answer(url, answer.status, lower, kept, body if plain else b""))

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._connections.close()

    def _outcome_of(self, error: Exception, who: str, by: float) -> Outcome:
        """What it means that no answer came."""
        connect, read = (_in_time(seconds, by) for seconds in self._timeouts)
        match error:
            case BadHost():
                return Refused(f"{who} is not a host that can be called")
            case UnknownHost():
                return Failed(f"cannot find {who}: its name does not resolve")
            case NoTimeLeft():
                return Failed(f"no connection to {who} {connect}")
            case NotConnected():
                return Failed(f"cannot connect to {who}: {_plain_reason(error.__cause__)}")
            case NotTaken():
                return Failed(f"{who} did not take the request {connect}")
            case TimeoutError():
                return Failed(f"no answer from {who} {read}")
            case ssl.SSLError():
                return Failed(f"no TLS with {who}: {_tls_reason(error)}")
        return Failed(f"no answer from {who}: {_plain_reason(error)}")


def _written(there: Endpoint, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The whole request, to be sent at once. Raises `ValueError` for a line break in a header."""
    length = {"Content-Length": len(body)}
    lines = [
        f"{name}: {value}\r\n"
        for some in (_HEADERS | dict(headers), length, there.headers)
        for name, value in some.items()
    ]
    block = "".join(lines)
    if not block.count("\r") == block.count("\n") == len(lines):
        raise ValueError("a header with a line break in it")
    return f"{there.start}{block}\r\n".encode("latin-1") + body


# --- TLS -----------------------------------------------------------------------------------------


def _verifying(settings: DeliverySettings) -> ssl.SSLContext:
    authorities = settings.ca_bundle or DEFAULT_CA_BUNDLE_PATH
    try:
        if Path(authorities).is_dir():
            context = ssl.create_default_context(capath=authorities)
        else:
            context = ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise _unusable("ca_bundle", authorities, error) from error
    return _with_client_certificate(context, settings)


def _unverifying(settings: DeliverySettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _with_client_certificate(context, settings)


def _with_client_certificate(
    context: ssl.SSLContext, settings: DeliverySettings
) -> ssl.SSLContext:
    if certificate := settings.client_certificate:
        try:
            # Without a password OpenSSL would ask the terminal for one.
            context.load_cert_chain(certificate, settings.client_key, password=lambda: b"")
        except OSError as error:
            files = " with ".join(filter(None, (certificate, settings.client_key)))
            raise _unusable("client_certificate", files, error) from error
    return context


def _unusable(setting: str, path: str, error: OSError) -> InvalidValue:
    why = error.strerror or str(error)
    return InvalidValue(
        f"delivery.{setting}: cannot use {path}: {why}. Give PEM that this process can read,"
        " a private key without a pass phrase.",
        field=f"delivery.{setting}",
    )


# --- what came back ------------------------------------------------------------------------------


def _read(answer: http.client.HTTPResponse) -> tuple[http.client.HTTPResponse, bytes]:
    """The answer, and what was read of its body: at most 64 KiB.

    The status is known by now and is what counts, so a body that breaks off or does not end in
    time is cut, and its connection not used again.
    """
    parts, count = [], 0
    try:
        while count < READ_BYTES and (part := answer.read1(READ_BYTES - count)):
            count += len(part)
            parts.append(part)
    except (http.client.HTTPException, OSError):
        answer.will_close = True
    return answer, b"".join(parts)


def _kept(body: bytes, plain: bool, there: Endpoint, secrets: tuple[str, ...]) -> str:
    """The first KiB of a body as text, without secrets: not even a part of one at its end."""
    if not plain:
        return f"<{len(body)} bytes, not unpacked>"
    hidden = _without(there.hidden(body.decode("utf-8", "replace")), secrets).encode()
    return there.masked(_printable(hidden[:KEPT_BYTES].decode("utf-8", "replace")))


def _without(text: str, secrets: tuple[str, ...]) -> str:
    """The text without the secrets, as they are and as URLs and forms spell them."""
    for secret in filter(None, secrets):
        for spelled in {secret, quote(secret, safe=""), quote_plus(secret)}:
            text = text.replace(spelled, MASK)
    return text


def _printable(text: str) -> str:
    """The text without control characters: neither a terminal nor a database wants them."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


# --- what went wrong -----------------------------------------------------------------------------


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate does not verify: {error.verify_message}. Name its authority in"
            " delivery.ca_bundle, or do without with ?aodh-alarm-ssl-verify=0 in the action"
        )
    return (error.reason or str(error)).replace("_", " ").lower()


def _in_time(seconds: float, by: float) -> str:
    return f"within {seconds:g} s" if by == inf else "in the time of one attempt"


def _plain_reason(error: BaseException | None) -> str:
    """An error in words that hold nothing of what was sent or received."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, ConnectionError):
        return "the connection was closed without one"
    return f"what came was not HTTP ({type(error).__name__})"
