"""Dialling: from a route to a socket, with TLS and by way of a proxy where the route says so.

All addresses of a name together have one bound, and so have asking the proxy and the TLS
handshake. Of a guarded route only such addresses are called as the guard lets through: those that
the one look-up gave are judged, and no name is looked up again (delivery 9).

    NotConnected ─┬─ BadHost       no name can be looked up so
                  ├─ UnknownHost   its name does not resolve
                  ├─ Forbidden     the guard lets none of its addresses through
                  ├─ NoWay         the proxy does not lead there
                  └─ NoTimeLeft    it took too long
"""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import Any

from pipeline.outbound import AllowList, forbidden
from pipeline.targets.line import Incoming, Line, until
from pipeline.targets.route import Proxy, Route


class NotConnected(Exception):
    """There is no connection; the cause says why."""


class BadHost(NotConnected):
    """No name can be looked up so."""


class UnknownHost(NotConnected):
    """The name does not resolve."""


class Forbidden(NotConnected):
    """The guard lets none of its addresses through; the text says what kind one is of."""


class NoWay(NotConnected):
    """The proxy does not lead there; the text says what it answered."""


class NoTimeLeft(NotConnected):
    """Connecting, or the TLS handshake, took too long."""


def dialled(
    route: Route, allowed: AllowList, connect_by: float, handshake_seconds: float
) -> socket.socket:
    """A socket that leads there; an `ssl.SSLSocket` where the route has TLS."""
    if route.proxy is None:
        sock = _connected(_addresses(route.host, route.port, allowed, route.guarded), connect_by)
    else:
        # Whoever set up the proxy is an admin; a guarded route has none.
        found = _addresses(route.proxy.host, route.proxy.port, allowed, False)
        sock = _connected(found, connect_by)
    if route.tls is None:
        return sock
    if route.proxy is not None:
        _ask(route.proxy, sock, route, connect_by)
    return _shaken_hands(sock, route.host, route.tls, handshake_seconds)


def _addresses(host: str, port: int, allowed: AllowList, guarded: bool) -> list[Any]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise UnknownHost from error
    except UnicodeError as error:
        raise BadHost from error
    if not guarded:
        return found
    judged = [(forbidden(str(each[4][0]), allowed), each) for each in found]
    if let_through := [each for kind, each in judged if kind is None]:
        return let_through
    raise Forbidden(judged[0][0] if judged else "no address")


def _connected(addresses: list[Any], connect_by: float) -> socket.socket:
    error: OSError = TimeoutError("no connection in time")
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        left = connect_by - monotonic()
        if left <= 0:
            break
        sock = None
        try:
            # Raises where the kernel has no such family.
            sock = socket.socket(family, kind, protocol)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A fair share each, so that one that is silent leaves time for the next.
            sock.settimeout(left / (len(addresses) - tried))
            sock.connect(address)
        except OSError as failure:
            if sock:
                sock.close()
            error = failure
        else:
            return sock
    raise (NoTimeLeft if isinstance(error, TimeoutError) else NotConnected) from error


def _ask(proxy: Proxy, sock: socket.socket, route: Route, end: float) -> None:
    """Ask the proxy to lead to the route's host from here on; the socket is closed if not."""
    there = f"[{route.host}]:{route.port}" if ":" in route.host else f"{route.host}:{route.port}"
    granting = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    asked = f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n{granting}\r\n".encode("latin-1")
    line = Line(sock)
    try:
        left = memoryview(asked)
        while left := left[line.send(left, end) :]:
            pass
        incoming: Any = Incoming(line, end)
        answer = HTTPResponse(incoming, method="CONNECT")
        answer.begin()
        if not 200 <= answer.status < 300 or incoming.excess:
            raise NoWay(f"answered {answer.status}")
    except TimeoutError as error:
        line.close()
        raise NoTimeLeft from error
    except (OSError, HTTPException) as error:
        line.close()
        raise NotConnected from error
    except NoWay:
        line.close()
        raise


def _shaken_hands(
    sock: socket.socket, host: str, tls: ssl.SSLContext, seconds: float
) -> ssl.SSLSocket:
    """TLS over the socket, which is closed if that fails. The handshake has one bound in all."""
    # A certificate knows neither the dot that may end a name nor the zone of an address.
    name = host.rstrip(".").partition("%")[0]
    end = monotonic() + seconds
    secured = None
    try:
        sock.settimeout(seconds)
        secured = tls.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
        secured.settimeout(until(end))
        secured.do_handshake()
    except TimeoutError as error:
        (secured or sock).close()
        raise NoTimeLeft from error
    except (OSError, ValueError):
        (secured or sock).close()
        raise
    return secured
