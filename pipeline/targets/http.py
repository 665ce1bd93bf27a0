"""The one HTTP sender: every target that speaks HTTP posts through it.

It sees to time-outs, TLS, and the size of what comes back, translates whatever goes wrong into
an outcome, and keeps secrets out of it: an outcome names the receiver by scheme, host and port
only. It follows no redirect, keeps no cookie, uses no proxy and nothing else out of the
environment, and never unpacks a compressed answer.
"""

from __future__ import annotations

import base64
import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
)

from pipeline import __version__
from pipeline.dispatch import receiver
from pipeline.errors import InvalidValue
from pipeline.masking import MASK, mask_url
from pipeline.notification import Failed, Outcome, Refused
from pipeline.targets.answer import Answer, judge
from pipeline.targets.connection import BoundedAdapter
from pipeline.targets.settings import DeliverySettings

READ_BYTES: Final = 64 * 1024
KEPT_BYTES: Final = 1024

_HEADERS = {"user-agent": f"tocsin/{__version__}", "accept": "*/*", "accept-encoding": "identity"}
_SHORTEST_SECRET, _SHORTEST_SECRET_IN_PATH = 4, 16


class HttpSender:
    """Posts to receivers and says what came of it. Safe to call from many threads.

    Raises `InvalidValue` when a certificate file of the settings cannot be used; they are read
    once, here.
    """

    def __init__(self, settings: DeliverySettings, clock: Callable[[], datetime]) -> None:
        self._settings, self._clock = settings, clock
        self._timeout = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        tls = {True: _verifying(settings), False: _unverifying(settings)}
        self._adapter = BoundedAdapter(tls, settings.per_target_concurrency)
        _quieten_urllib3()

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], verify: bool | None = None
    ) -> Outcome:
        """POST once. `verify` None means what the settings say. Credentials in the URL are sent
        as basic authentication."""
        who = receiver(url)
        try:
            request = requests.Request("POST", url, data=body, headers=_HEADERS | dict(headers))
            prepared = request.prepare()
        except (requests.RequestException, ValueError):
            return Refused(f"{who} is not a URL that can be called. Correct the alarm's action")
        try:
            response = self._adapter.send(
                prepared,
                stream=True,
                timeout=self._timeout,
                verify=self._settings.verify if verify is None else verify,
            )
        except (HTTPError, OSError) as error:
            return self._outcome_of(error, who)
        head = _without_secrets(_head(response.raw), url)
        lower = {name.lower(): value for name, value in response.headers.items()}
        return judge(Answer(url, response.status_code, lower, head), self._clock())

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._adapter.close()

    def _outcome_of(self, error: Exception, who: str) -> Outcome:
        """What it means that no answer came."""
        connect, read = self._timeout
        causes = list(_causes(error))
        for cause in causes:
            match cause:
                case LocationValueError():
                    return Refused(f"{who} is not a host that can be called")
                case NameResolutionError():
                    return Failed(f"cannot find {who}: its name does not resolve")
                case NewConnectionError():
                    return Failed(f"cannot connect to {who}: {_plain_reason(causes)}")
                case ConnectTimeoutError():
                    return Failed(f"no connection to {who} within {connect:g} s")
                case urllib3.exceptions.ReadTimeoutError():
                    return Failed(f"no answer from {who} within {read:g} s")
                case TimeoutError():
                    return Failed(f"{who} did not take the request within {connect:g} s")
                case ssl.SSLError():
                    return Failed(f"no TLS with {who}: {_tls_reason(cause)}")
        return Failed(f"no answer from {who}: {_plain_reason(causes)}")


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


def _head(raw: Any) -> str:
    """The first KiB of the body as text. At most 64 KiB are read.

    The status is known by now and is what counts, so a body that breaks off or does not end in
    time is cut, and its connection not used again.
    """
    head, count = b"", 0
    encoding = raw.headers.get("content-encoding", "identity")
    with closing(raw), suppress(HTTPError, OSError):
        while count < READ_BYTES and (part := raw.read1(READ_BYTES - count)):
            count += len(part)
            head += part[: KEPT_BYTES - len(head)]
    if encoding.strip().lower() != "identity":
        return f"<{count} bytes, not unpacked>" if count else ""
    return _printable(head.decode("utf-8", "replace"))


def _printable(text: str) -> str:
    """The text without control characters: neither a terminal nor a database wants them."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def _without_secrets(text: str, url: str) -> str:
    """The text with `***` for what the URL may hold of secrets: servers like to repeat it."""
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return mask_url(text)


def _secrets(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    user, password = parts.username or "", parts.password or ""
    if user or password:
        pair = f"{unquote(user)}:{unquote(password)}"
        yield base64.b64encode(pair.encode()).decode()
    words = [password or user, unquote(password or user)]
    words += [value for _, value in parse_qsl(parts.query)]
    words += [pair.partition("=")[2] for pair in parts.query.split("&")]
    yield from (word for word in words if len(word) >= _SHORTEST_SECRET)
    for segment in parts.path.split("/"):
        if len(segment) >= _SHORTEST_SECRET_IN_PATH:
            yield segment
            yield unquote(segment)


# --- what went wrong -----------------------------------------------------------------------------


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was made from, outermost first: requests and urllib3 wrap errors as
    causes, as arguments or as `reason`."""
    if error is None:
        return
    yield error
    inner = [error.__cause__, getattr(error, "reason", None), *error.args]
    yield from _causes(next((e for e in inner if isinstance(e, BaseException)), None))


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate does not verify: {error.verify_message}. Name its authority in"
            " delivery.ca_bundle, or do without with ?aodh-alarm-ssl-verify=0 in the action"
        )
    return (error.reason or str(error)).replace("_", " ").lower()


def _plain_reason(causes: list[BaseException]) -> str:
    """The innermost cause in words. Texts of urllib3 and requests hold the URL: not those."""
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    innermost = causes[-1]
    if isinstance(innermost, ConnectionError):
        return "the connection was closed without one"
    return f"what came was not HTTP ({type(innermost).__name__})"


def _quieten_urllib3() -> None:
    """urllib3 logs whole URLs, secrets and all, and warns of each unverified request, which is
    what the action's URL or the settings asked for."""
    for name in ("urllib3.connection", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
