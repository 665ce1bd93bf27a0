"""… to SINKS: each publisher takes the events that a route sends to its URL.

`from_url` makes the publisher of a URL; `Publishers` keeps one for each URL, for all threads of
a process. Making a publisher checks its URL and does nothing else, so that a pipelines file can
be checked anywhere; files and connections are opened when the first event comes.
"""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from pipeline import registry
from pipeline.errors import InvalidValue
from pipeline.publishers.base import Publisher, Tools

GROUP = "tocsin.publishers"

_CEILOMETERS = frozenset({"gnocchi", "opentelemetryhttp", "prometheus", "tcp", "udp", "zaqar"})


def from_url(url: str, tools: Tools | None = None) -> Publisher:
    """The publisher that takes events for a URL. Raises `InvalidValue`: unknown, or unfit.

    Without tools it is fit to be checked, and to publish where the URL says all.
    """
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise InvalidValue(f"{error}. Write a URL, as file:///var/log/events.json.") from error
    known = registry.names(GROUP)
    if scheme not in known and scheme in _CEILOMETERS:
        raise InvalidValue(_not_here(scheme, known))
    publisher: Publisher = registry.find(GROUP, scheme)(url, tools or Tools())
    return publisher


class Publishers:
    """One publisher for each URL, made when it is first asked for. Safe from many threads."""

    def __init__(self, tools: Tools | None = None) -> None:
        self._tools = tools or Tools()
        self._by_url: dict[str, Publisher] = {}
        self._lock = threading.Lock()

    def get(self, url: str) -> Publisher:
        """The publisher for a URL. Raises `InvalidValue` as `from_url` does."""
        with self._lock:
            if url not in self._by_url:
                self._by_url[url] = from_url(url, self._tools)
            return self._by_url[url]

    def drop(self, url: str) -> None:
        """Close the publisher of a URL; the next `get` makes another."""
        with self._lock:
            publisher = self._by_url.pop(url, None)
        if publisher is not None:
            publisher.close()

    def close(self) -> None:
        """Close all publishers."""
        with self._lock:
            while self._by_url:
                _, publisher = self._by_url.popitem()
                publisher.close()


def _not_here(scheme: str, known: list[str]) -> str:
    have = ", ".join(f"{name}://" for name in known)
    state = f"Tocsin has no {scheme}:// publisher: that is one of Ceilometer's."
    aodh = " If it fed Aodh, alarms:// takes its place." if scheme == "zaqar" else ""
    return f"{state} Take it out, or use one of {have}.{aodh}"
