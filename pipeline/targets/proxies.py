"""Proxies: which HTTP proxy leads to a receiver, if any.

A target's own goes before that of the settings. The environment's (`HTTPS_PROXY`, `NO_PROXY`, …)
count only where the settings say so (`delivery.proxy_from_environment`), and are read once. Called
by `pipeline.targets.http`, from many threads.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from requests.auth import _basic_auth_str

from pipeline.dispatch import receiver
from pipeline.errors import InvalidValue
from pipeline.hiding import spellings
from pipeline.outbound import AllowList, network
from pipeline.targets.endpoint import Endpoint
from pipeline.targets.options import DIRECT
from pipeline.targets.route import Proxy
from pipeline.targets.settings import DeliverySettings
from pipeline.targets.way import Way

_PORT = 80
_PORT_BEHIND = re.compile(r"(?<=[^:]):[0-9]+$")


class Proxies:
    """The proxies that the settings name. Raises `InvalidValue` for one that cannot be used."""

    def __init__(self, settings: DeliverySettings) -> None:
        found = {"http": settings.proxy or "", "https": settings.proxy or ""}
        past = list(settings.no_proxy)
        if settings.proxy_from_environment:
            named = getproxies_environment()
            for scheme in found:
                found[scheme] = found[scheme] or named.get(scheme) or named.get("all", "")
            past += named.get("no", "").split(",")
        self.by_scheme = {scheme: proxy_of(url) for scheme, url in found.items() if url}
        self._past_all = "*" in map(str.strip, past)
        self._past = _past(past)

    def to(self, there: Endpoint, way: Way) -> Proxy | None:
        """The proxy that leads there, None where none does. Raises `InvalidValue` for a target's
        own that cannot be used."""
        if way.proxy:
            return None if way.proxy == DIRECT else proxy_of(way.proxy, way.proxy_credentials)
        if not self.by_scheme or self._past_all or self._past.has_host(there.host):
            return None
        return self.by_scheme.get("https" if there.secure else "http")


@lru_cache(maxsize=256)
def proxy_of(url: str, credentials: str = "") -> Proxy:
    """The proxy at `http://[user:password@]host:port`; `credentials` (`user:password`) go before
    those in the URL. Raises `InvalidValue` for another URL."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", _PORT if parts.port is None else parts.port
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if parts.scheme != "http" or not host or not port:
        raise InvalidValue(
            f"{receiver(url)} cannot be used as a proxy. Write http://host:port; it is asked by"
            " CONNECT for what goes over https"
        )
    if credentials:
        user, _, password = credentials.partition(":")
    else:
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user or password):
        return Proxy(receiver(f"http://{parts.netloc}"), host, port)
    authorization = _basic_auth_str(user.encode(), password.encode())
    secrets = spellings([password or user, authorization.removeprefix("Basic ")])
    return Proxy(receiver(f"http://{parts.netloc}"), host, port, authorization, secrets)


def _past(entries: list[str]) -> AllowList:
    """What is called without a proxy. A name stands for what is below it too, as wherever
    `NO_PROXY` is heeded; a port behind it is not looked at."""
    wanted = []
    for entry in map(str.strip, entries):
        name = _PORT_BEHIND.sub("", entry).removeprefix("*").removeprefix(".")
        if name:
            wanted += [name] if network(name) else [name, f".{name}"]
    return AllowList.of(wanted)
