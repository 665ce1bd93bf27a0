"""The one HTTP sender: every target that speaks HTTP posts through it.

It sees to time-outs, TLS, proxies, the outbound guard and the size of what comes back, translates
whatever goes wrong into an outcome, and keeps secrets out of it: an outcome names the receiver by
scheme, host and port only. It follows no redirect, keeps no cookie, takes nothing out of the
environment but proxies, where the settings say so, and never unpacks a compressed answer.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic
from typing import Any, Final, TypeVar

from pipeline import __version__
from pipeline.dispatch import receiver
from pipeline.errors import InvalidValue
from pipeline.hiding import hidden, spellings
from pipeline.masking import mask_url
from pipeline.notification import Failed, Outcome, Refused
from pipeline.outbound import AllowList
from pipeline.targets.answer import Answer
from pipeline.targets.connection import Connections, NotTaken
from pipeline.targets.dial import NotConnected
from pipeline.targets.endpoint import Endpoint, endpoint
from pipeline.targets.failure import Tried, forbidden_text, outcome_of
from pipeline.targets.proxies import Proxies
from pipeline.targets.route import Route
from pipeline.targets.settings import GUARD_ALL, GUARD_NONE, DeliverySettings
from pipeline.targets.tls import TlsContexts
from pipeline.targets.way import ORDINARY, Way

READ_BYTES: Final = 64 * 1024
KEPT_BYTES: Final = 1024

_COOKIE, _PROXY_WANTS_LOGIN = "set-cookie", 407
_HEADERS = {"user-agent": f"tocsin/{__version__}", "accept": "*/*", "accept-encoding": "identity"}

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send, once and for all attempts. `verify` None means what way and settings say.

    `secrets` are those of this request alone, beside those of its way: of what comes back they are
    hidden, like those in the URL.
    """

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    method: str = "POST"
    verify: bool | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)


class HttpSender:
    """Sends to receivers and says what came of it. Safe to call from many threads.

    Raises `InvalidValue` for what the settings name and cannot be used: a certificate file, a
    proxy, an entry of the guard's allow list.
    """

    def __init__(self, settings: DeliverySettings) -> None:
        self._guards_all = settings.guard == GUARD_ALL
        self._guards = settings.guard != GUARD_NONE
        self._allowed = _listed("guard_allow", lambda: AllowList.of(settings.guard_allow))
        self._proxies = _listed("proxy", lambda: Proxies(settings))
        self._takes_care = self._guards_all or bool(self._proxies.by_scheme)
        self._tls = TlsContexts(settings)
        self._timeouts = settings.connect_timeout_seconds, settings.read_timeout_seconds
        self._connections = Connections(
            self._allowed, settings.per_target_concurrency, *self._timeouts, most=READ_BYTES
        )

    def send(
        self,
        request: Request,
        judge: Callable[[Answer], Outcome],
        by: float = inf,
        way: Way = ORDINARY,
        guarded: bool = False,
    ) -> Outcome:
        """Send it once; what `judge` makes of the answer. Credentials in the URL are sent as
        basic authentication.

        A target that sends several requests in one attempt says by when the attempt must end, a
        time of `time.monotonic`: no request lasts beyond it. `guarded` is said of deliveries that
        the outbound guard looks at.
        """
        try:
            there = endpoint(request.url, request.method)
        except ValueError:
            who = hidden(receiver(request.url), way.secrets)
            reason = f"{who} is not a URL that can be called. Correct the alarm's action"
            return Refused(reason, asked=False)
        route = self._route(request, there, way, guarded)
        if isinstance(route, Route):
            outcome = self._over(route, there, request, judge, by, way)
        else:
            outcome = route
        return without(way.secrets, outcome) if way.secrets else outcome

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._connections.close()

    def _route(
        self, request: Request, there: Endpoint, way: Way, guarded: bool
    ) -> Route | Outcome:
        """How to get there; or what becomes of the delivery, as there is no way."""
        if not (there.secure or guarded or way.proxy or self._takes_care):
            return there.direct  # as most go
        if guarded or self._guards_all:
            guarded = self._guards and not self._allowed.has_host(there.host)
        try:
            proxy = self._proxies.to(there, way)
            tls = self._tls.of(way, request.verify) if there.secure else None
        except InvalidValue as error:
            return Failed(str(error))
        if guarded and proxy:
            if not self._allowed.has_everything:
                # Where the proxy would go with it cannot be seen from here.
                return Refused(forbidden_text(there.who, f"the proxy {proxy.who}"), asked=False)
            guarded = False
        return Route(there.host, there.port, tls, proxy, guarded)

    def _over(
        self,
        route: Route,
        there: Endpoint,
        request: Request,
        judge: Callable[[Answer], Outcome],
        by: float,
        way: Way,
    ) -> Outcome:
        try:
            written = _written(there, route, request.body, request.headers)
        except ValueError:  # its text may hold a secret
            reason = f"a header for {there.who} has a sign that none can hold. Correct it"
            return Refused(reason, asked=False)
        end = by if way.timeout_seconds == inf else min(by, monotonic() + way.timeout_seconds)
        try:
            reply = self._connections.send(route, written, end)
        except (OSError, http.client.HTTPException, NotConnected, NotTaken) as error:
            times = (_in_time(min(time, way.timeout_seconds), by) for time in self._timeouts)
            return outcome_of(error, Tried(there.who, route, *times))
        if route.proxy and reply.status == _PROXY_WANTS_LOGIN:
            return Failed(f"the proxy {route.proxy.who} wants other credentials", reply.status)
        headers, body = dict(reply.headers), reply.body
        if _COOKIE in headers:
            headers[_COOKIE] = "\n".join(v for name, v in reply.headers if name == _COOKIE)
        coding = headers.get("content-encoding", "identity").strip().lower()
        plain, kept = coding in ("", "identity"), ""
        if body:
            own = (*spellings(request.secrets), *(route.proxy.secrets if route.proxy else ()))
            kept = _kept(body, plain, (*there.secrets, *way.secrets, *own))
        return judge(Answer(request.url, reply.status, headers, kept, body if plain else b""))


def _listed(setting: str, make: Callable[[], Made]) -> Made:
    """What is made of a setting. Its name is said with what is wrong in it."""
    try:
        return make()
    except InvalidValue as error:
        field = f"delivery.{setting}"
        raise InvalidValue(f"{field}: {error}", field=field) from error


def _written(there: Endpoint, route: Route, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The whole request, to be sent at once. Raises `ValueError` for a line break in a header, and
    for a letter beyond Latin-1."""
    length = {"Content-Length": len(body)}
    start, own = there.start, there.headers
    if route.proxy and not there.secure:
        start = there.start_by_proxy
        if route.proxy.authorization:
            own = {**own, "Proxy-Authorization": route.proxy.authorization}
    lines = [
        f"{name}: {value}\r\n"
        for some in ({**_HEADERS, **headers}, length, own)
        for name, value in some.items()
    ]
    block = "".join(lines)
    if not block.count("\r") == block.count("\n") == len(lines):
        raise ValueError("a header with a line break in it")
    return f"{start}{block}\r\n".encode("latin-1") + body


# --- what came back ------------------------------------------------------------------------------


def _kept(body: bytes, plain: bool, secrets: Iterable[str]) -> str:
    """The first KiB of a body as text, without secrets: not even a part of one at its end."""
    if not plain:
        return f"<{len(body)} bytes, not unpacked>"
    text = hidden(body.decode("utf-8", "replace"), secrets)
    return mask_url(_printable(text.encode()[:KEPT_BYTES].decode("utf-8", "replace")))


def _printable(text: str) -> str:
    """The text without control characters: neither a terminal nor a database wants them."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def without(secrets: tuple[str, ...], outcome: Outcome) -> Outcome:
    """The outcome with what it says free of secrets, given in all their spellings, whoever put
    them there."""
    said: dict[str, Any] = {"response_head": hidden(outcome.response_head, secrets)}
    for name in ("reason", "note"):
        if text := getattr(outcome, name, ""):
            said[name] = hidden(text, secrets)
    return replace(outcome, **said)


def _in_time(seconds: float, by: float) -> str:
    return f"within {seconds:g} s" if by == inf else "in the time of one attempt"
