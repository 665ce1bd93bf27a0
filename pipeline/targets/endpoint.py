"""Endpoint: what must be known of a URL to post to it, worked out once for each URL.

Reading a URL takes longer than posting to it, and an alarm's action is posted to over and over.
Pure. Used by `pipeline.targets.http` alone.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from pipeline.dispatch import receiver
from pipeline.targets.route import Route

_REMEMBERED = 4_096
_PORTS = {"http": 80, "https": 443}
_SHORTEST_SECRET, _SHORTEST_SECRET_IN_PATH = 4, 16


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to post. `who` names it without secrets; `host` is ASCII, without brackets.

    `start` is the request's first two lines, and `start_by_proxy` where a proxy is asked for it;
    `headers` what the URL adds to the others: its credentials, as basic authentication. `direct`
    is the route to it without TLS and proxy.
    """

    who: str
    secure: bool
    host: str
    port: int
    direct: Route
    start: str
    start_by_proxy: str
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


@lru_cache(maxsize=_REMEMBERED)
def endpoint(url: str, method: str = "POST") -> Endpoint:
    """The endpoint of a URL. Raises `ValueError` for what is not a URL that can be called."""
    try:
        prepared = requests.Request(method, url).prepare()
        parts = parse_url(prepared.url or "")
    except (requests.RequestException, HTTPError) as error:
        raise ValueError("not a URL that can be called") from error
    if parts.scheme not in _PORTS or not parts.host:
        raise ValueError("not a URL that can be called over HTTP")
    if "\\" in urlsplit(url).netloc:
        # `http://a\@b/`: to some readers a is the host, to others b.
        raise ValueError("not a URL that says whom to call")
    host = parts.host.removeprefix("[").removesuffix("]")
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    where = _host_header(parts.scheme, host, port)
    path = prepared.path_url
    authorization = prepared.headers.get("Authorization")
    return Endpoint(
        who=receiver(url),
        secure=parts.scheme == "https",
        host=host,
        port=port,
        direct=Route(host, port, None),
        start=f"{method} {path} HTTP/1.1\r\nHost: {where}\r\n",
        start_by_proxy=f"{method} http://{where}{path} HTTP/1.1\r\nHost: {where}\r\n",
        headers={"Authorization": authorization} if authorization else {},
        secrets=tuple(sorted(set(_secrets(url)), key=len, reverse=True)),
    )


def _host_header(scheme: str, host: str, port: int) -> str:
    """As RFC 9110 and 6874 want it: an IPv6 address in brackets, and no word of its zone."""
    shown = f"[{host.partition('%')[0]}]" if ":" in host else host
    return shown if port == _PORTS[scheme] else f"{shown}:{port}"


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
