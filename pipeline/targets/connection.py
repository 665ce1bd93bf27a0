"""Connections to receivers that cannot be held for ever.

A time-out of a socket bounds one call: one address, one read. A receiver that sends a byte now
and then, or whose name has a hundred dead addresses, would hold a notifier's thread as long as it
likes. Here each phase has one bound for the whole of it: all addresses together, the TLS
handshake, sending the request, and the answer from its first byte to its last.

Knows nothing of notifications. Used by `pipeline.targets.http` alone.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Mapping
from functools import partial
from time import monotonic
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)

_RECEIVERS_REMEMBERED = 256


class BoundedAdapter(HTTPAdapter):
    """Sends prepared requests over pooled, bounded connections. Safe to use from many threads.

    `tls` holds the TLS context to use for each value of `verify`. Used without a
    `requests.Session`: so there are no cookies, no redirects, and nothing out of `~/.netrc` or
    the environment.
    """

    def __init__(self, tls: Mapping[bool, ssl.SSLContext], connections_per_receiver: int) -> None:
        self._tls = tls
        super().__init__(
            pool_connections=_RECEIVERS_REMEMBERED, pool_maxsize=connections_per_receiver
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools out of our connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """The pool that a request belongs to: connections are shared per host and TLS context."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        pool["ssl_context"] = self._tls[bool(verify)]
        return host, pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing more to do: the TLS context has its certificates loaded, once."""


class _Bounded(HTTPConnection):
    """`timeout` is what urllib3 sets for each phase: connecting and sending, then the answer."""

    timeout: float

    def _new_conn(self) -> socket.socket:
        end = monotonic() + self.timeout
        addresses = self._addresses()
        error: OSError = TimeoutError("no connection in time")
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            left = end - monotonic()
            if left <= 0:
                break
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # A fair share each, so that one that is silent leaves time for the next.
                sock.settimeout(left / (len(addresses) - tried))
                sock.connect(address)
            except OSError as failure:
                sock.close()
                error = failure
            else:
                return sock
        if isinstance(error, TimeoutError):
            raise ConnectTimeoutError(self, "no connection in time") from error
        raise NewConnectionError(self, str(error)) from error

    def _addresses(self) -> list[Any]:
        try:
            return socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError as error:
            raise LocationParseError(self.host) from error

    def getresponse(self) -> Any:
        """The answer; neither its head nor its body can take longer than the time-out."""
        answer: Any = partial(_BoundedAnswer, end=monotonic() + self.timeout)
        self.response_class = answer
        return super().getresponse()


class _BoundedTls(_Bounded, HTTPSConnection):
    def connect(self) -> None:
        """Connect and shake hands. A handshake that is not done in time has not connected."""
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no TLS handshake in time") from error


class _HttpPool(HTTPConnectionPool):
    ConnectionCls: Any = _Bounded


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls: Any = _BoundedTls


class _BoundedAnswer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, end: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        buffered: io.BufferedReader = self.fp
        self.fp = io.BufferedReader(_UntilEnd(sock, buffered.detach(), end))


class _UntilEnd(io.RawIOBase):
    """Reads what `raw` reads from `sock`, and no later than `end`."""

    def __init__(self, sock: socket.socket, raw: Any, end: float) -> None:
        self._sock, self._raw, self._end = sock, raw, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not end in time")
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
