"""`http(s)://user:password@host/path?timeout=&batch=&…`: events posted as JSON.

The options are Ceilometer's: `timeout` (5 seconds, for the connection and for each wait),
`max_retries` (2, for connections that fail), `batch` (True: a JSON array; False: one object a
request), `verify_ssl` (True, False, or a file or folder of authorities to trust), `clientcert` and
`clientkey` (PEM files), `raw_only` (False; True: the payloads of the raw notifications, of those
events that have one). They are taken out of the URL; every other argument stays in it.

Where Ceilometer logs an answer of 400 or more and forgets the events, they are kept and posted
again. Redirects are not followed: a redirected POST loses its body.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import requests
import requests.adapters
import urllib3
from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Range
from requests.auth import HTTPBasicAuth

from pipeline.errors import InvalidValue, PublishFailed, PublishRefused
from pipeline.event import Event
from pipeline.masking import mask_url
from pipeline.publishers.base import Tools
from pipeline.publishers.url_options import checked_authority, read_options
from pipeline.publishers.wire import array, portions
from pipeline.strict_json import strict_json
from pipeline.words import truth

_CONNECTIONS = 4
_ANSWER_HEAD = 1024
_PASSING = frozenset({401, 403, 404, 407, 408, 409, 425, 429})
"""Answers below 500 that say something of the moment or of the set-up, not of these events."""


class HttpPublisher:
    """Posts events to one URL. Safe from many threads."""

    def __init__(self, url: str, tools: Tools) -> None:
        self.url = url
        checked_authority(url)
        self._options = read_options(url, own := _Options(), others=True)
        self._target = _target(url, own)
        if self._options["verify_ssl"] is False:
            # Whoever wrote it knows; urllib3 would say so again for every batch.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session: requests.Session | None = None

    def publish(self, events: Sequence[Event]) -> None:
        """Post all; returns when each request has had an answer below 300."""
        documents = self._documents(events)
        for portion in self._portions([document for _, document in documents]):
            bodies = [document for _, document in documents[portion]]
            try:
                self._post(array(bodies) if self._options["batch"] else bodies[0])
            except PublishFailed as error:
                left = [position for position, _ in documents[portion.start :]]
                if isinstance(error, PublishRefused) and portion.stop < len(documents):
                    # Those behind may be taken: the caller is told of no refusal of them.
                    raise PublishFailed(str(error), left) from error
                error.left = left
                raise

    def close(self) -> None:
        """Let go of connections; the next events open them again."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _documents(self, events: Sequence[Event]) -> list[tuple[int, bytes]]:
        """What is to be posted of each event, with the event's position."""
        if not self._options["raw_only"]:
            return [(place, strict_json(event.as_dict())) for place, event in enumerate(events)]
        payloads = [(place, event.raw.get("payload")) for place, event in enumerate(events)]
        return [(place, strict_json(payload)) for place, payload in payloads if payload]

    def _portions(self, documents: Sequence[bytes]) -> list[slice]:
        if self._options["batch"]:
            return list(portions(documents))
        return [slice(position, position + 1) for position in range(len(documents))]

    def _post(self, body: bytes) -> None:
        shown = mask_url(self._target)
        session = self._session = self._session or _session(self.url, self._options)
        timeout: float = self._options["timeout"]
        try:
            with session.post(
                self._target,
                data=body,
                headers={"content-type": "application/json"},
                timeout=timeout,
                # Of a session's own, the environment's REQUESTS_CA_BUNDLE would take the place.
                verify=self._options["verify_ssl"],
                allow_redirects=False,
                stream=True,
            ) as response:
                head = _head(response, timeout)
        except (requests.RequestException, OSError) as error:
            raise PublishFailed(f"{shown}: {_reason(error, timeout)}") from error
        status = response.status_code
        if status < 300:
            return
        said = f"{shown} answered {status} {response.reason or ''}".rstrip()
        if status < 400:
            where = mask_url(response.headers.get("location", "elsewhere"))
            raise PublishFailed(f"{said} to {where}. Write that URL instead.")
        failed = PublishFailed if status >= 500 or status in _PASSING else PublishRefused
        raise failed(f"{said}: {head}" if head else said)


def _session(url: str, options: Any) -> requests.Session:
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(
        pool_connections=1, pool_maxsize=_CONNECTIONS, max_retries=options["max_retries"]
    )
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    if certificate := options["clientcert"]:
        key = options["clientkey"]
        session.cert = (certificate, key) if key else certificate
    parts = urlsplit(url)
    if parts.username:
        user, password = unquote(parts.username), unquote(parts.password or "")
        # As bytes: requests would write text in Latin-1.
        session.auth = HTTPBasicAuth(user.encode("utf-8"), password.encode("utf-8"))
    return session


def _head(response: requests.Response, timeout: float) -> str:
    """The beginning of the answer, read so far that the connection can be used again."""
    head, read, deadline = b"", 0, time.monotonic() + timeout
    for part in response.iter_content(4096):
        head += part[: _ANSWER_HEAD - len(head)]
        read += len(part)
        if read > 65_536 or time.monotonic() > deadline:
            break
    return " ".join(head.decode("utf-8", "replace").split())


def _reason(error: BaseException, timeout: float) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed ({_cause(error)}). For an authority of your own, add verify_ssl=FILE."
    if isinstance(error, requests.exceptions.Timeout):
        return f"no answer within {timeout:g} s."
    return f"{_cause(error)}."


def _cause(error: BaseException) -> str:
    """What is at the bottom of requests' wrappings: `Connection refused`."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    error = reason if isinstance(reason, BaseException) else error
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return mask_url(str(error).rstrip(".")) or type(error).__name__


# --- the URL ---------------------------------------------------------------------------------


class _Flag(fields.Field[bool]):
    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        flag = truth(str(value))
        if flag is None:
            raise ValidationError(f"expects True or False, not {value!r}.")
        return flag


class _FlagOrPath(fields.Field[Any]):
    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool | str:
        text = str(value)
        if not text.strip():
            return True
        flag = truth(text)
        return text if flag is None else flag


class _Options(Schema):
    timeout = fields.Float(
        load_default=5.0,
        validate=Range(min=0, min_inclusive=False, error="give more than 0, not {input}."),
        error_messages={"invalid": "expects a number of seconds, as 5."},
    )
    max_retries = fields.Integer(
        load_default=2,
        validate=Range(min=0, error="give 0 or more, not {input}."),
        error_messages={"invalid": "expects a number, as 2."},
    )
    batch = _Flag(load_default=True)
    verify_ssl = _FlagOrPath(load_default=True)
    clientcert = fields.String(load_default="")
    clientkey = fields.String(load_default="")
    raw_only = _Flag(load_default=False)


def _target(url: str, own: Schema) -> str:
    """The URL that is posted to: without our options and without the login."""
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([(name, text) for name, text in given if name not in own.fields])
    netloc = parts.netloc.rpartition("@")[2]
    if not parts.hostname:
        raise InvalidValue(f"names no host. Write {parts.scheme}://host/path")
    return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))
