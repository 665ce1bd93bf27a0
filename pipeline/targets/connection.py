"""Connections to receivers: kept open between requests, and never held for ever.

A time-out of a socket bounds one call: one address, one read. A receiver that sends a byte now
and then, or whose name has a hundred dead addresses, would hold a notifier's thread as long as it
likes. Here each phase has one bound for the whole of it: all addresses together, the TLS
handshake, sending the request, and the answer from its first byte to its last.

A connection that was kept open may be gone by the time it is used again. Then the request is sent
once more over a new one; whoever did take the first knows the second by its `webhook-id`.

No pool of urllib3 and no session of requests: either takes longer than all else that becomes of a
delivery. `http.client` reads the answers, but for plain ones (`pipeline.targets.plain_answer`).
Each call of a socket that may wait lets another thread have the interpreter, and waits to get it
back; so there are as few as can be. Knows nothing of notifications. Used by
`pipeline.targets.http` alone, from many threads.

    NotConnected  there is no connection (`pipeline.targets.dial`)
    NotTaken      the request was not taken in time
    OSError, http.client.HTTPException: whatever else goes wrong with a connection
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections import OrderedDict
from http.client import HTTPException, HTTPResponse
from math import inf
from time import monotonic
from typing import Any

from pipeline.outbound import AllowList
from pipeline.targets.dial import dialled
from pipeline.targets.line import Incoming, Line, SecuredLine
from pipeline.targets.plain_answer import Reply, plain_answer
from pipeline.targets.route import Route

_ROUTES_REMEMBERED = 256
_KEPT_AT_MOST = 256
"""Connections to all receivers together: a quarter of the files that a process may often open."""

_SWITCHED, _FIRST_FINAL = 101, 200
_READ_AT_ONCE = 16 * 1024


class NotTaken(Exception):
    """The request was not taken in time."""


class Connections:
    """Sends requests over connections that it keeps. Safe to use from many threads.

    Guarded routes lead to public addresses and to those that are `allowed`. Of each route at most
    `per_route` connections are kept, and of all together a bounded number. Of a body no more than
    `most` bytes are read.
    """

    def __init__(
        self,
        allowed: AllowList,
        per_route: int,
        connect_seconds: float,
        read_seconds: float,
        most: int,
    ) -> None:
        self._allowed, self._per_route, self._most = allowed, per_route, most
        self._connect_seconds, self._read_seconds = connect_seconds, read_seconds
        self._kept: OrderedDict[Route, list[_Connection]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def send(self, route: Route, request: bytes, by: float = inf) -> Reply:
        """The answer to the request. No phase lasts beyond `by`, a time of `time.monotonic`.

        A kept connection's time counts as time of connecting: a second try makes an attempt no
        longer than `DeliverySettings.longest_attempt_seconds`.
        """
        connect_by = min(monotonic() + self._connect_seconds, by)
        if kept := self._take(route):
            try:
                return self._over(kept, route, request, by)
            except ConnectionError:
                if monotonic() >= connect_by:
                    raise
        shake_hands = _within(self._connect_seconds, by)
        new = _Connection(dialled(route, self._allowed, connect_by, shake_hands))
        return self._over(new, route, request, by)

    def close(self) -> None:
        """Close all connections that are not in use."""
        with self._lock:
            kept = [connection for some in self._kept.values() for connection in some]
            self._kept.clear()
            self._count = 0
        for connection in kept:
            connection.close()

    def _over(self, connection: _Connection, route: Route, request: bytes, by: float) -> Reply:
        reusable = False
        try:
            connection.send(request, _within(self._connect_seconds, by))
            reply = connection.answer(_within(self._read_seconds, by), self._most)
            reusable = not reply.closes
        finally:
            if reusable:
                self._keep(route, connection)
            else:
                connection.close()
        return reply

    def _take(self, route: Route) -> _Connection | None:
        while True:
            with self._lock:
                kept = self._kept.get(route)
                if not kept:
                    return None
                connection = kept.pop()
                self._count -= 1
            if connection.is_quiet:
                return connection
            connection.close()

    def _keep(self, route: Route, connection: _Connection) -> None:
        dropped = [connection]
        with self._lock:
            kept = self._kept.setdefault(route, [])
            self._kept.move_to_end(route)
            if len(kept) < self._per_route:
                kept.append(dropped.pop())
                self._count += 1
            while self._count > _KEPT_AT_MOST or len(self._kept) > _ROUTES_REMEMBERED:
                _, oldest = self._kept.popitem(last=False)
                self._count -= len(oldest)
                dropped += oldest
        for one in dropped:
            one.close()


class _Connection:
    """A connection over a socket, which it closes."""

    def __init__(self, sock: socket.socket) -> None:
        self._line = SecuredLine(sock) if isinstance(sock, ssl.SSLSocket) else Line(sock)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer: neither bytes nor the end."""
        return self._line.is_quiet

    def send(self, request: bytes, seconds: float) -> None:
        """Send all of it. Raises `NotTaken` when that takes longer."""
        end = monotonic() + seconds
        left = memoryview(request)
        try:
            while left := left[self._line.send(left, end) :]:
                pass
        except TimeoutError as error:
            raise NotTaken from error

    def answer(self, seconds: float, most: int) -> Reply:
        """The answer, with so many bytes of its body at most. Neither head nor body can take
        longer than that. It `closes` where another may not follow it on this connection."""
        end = monotonic() + seconds
        begun = self._line.read(_READ_AT_ONCE, end)
        reply = plain_answer(begun)
        if reply is None:
            return self._any_answer(Incoming(self._line, end, begun), most)
        return reply if not self._line.is_unpacked else reply._replace(closes=True)

    def _any_answer(self, incoming: Any, most: int) -> Reply:
        """What a server says before its answer, such as 103 Early Hints, is passed over."""
        status = 0
        while status < _FIRST_FINAL and status != _SWITCHED:
            answer = HTTPResponse(incoming, method="POST")
            answer.begin()
            status = answer.status
        body = _body(answer, most)
        headers = [(name.lower(), value) for name, value in answer.headers.items()]
        reply = Reply(status, headers, body, not self._may_be_followed(answer, incoming))
        answer.close()
        return reply

    def _may_be_followed(self, answer: HTTPResponse, incoming: Incoming) -> bool:
        """Whether the answer has ended as it said it would, beyond doubt, and nothing speaks
        against another. The next answer must not be read out of the rest of this one."""
        ended = answer.isclosed() if answer.chunked else answer.length == 0
        lengths = answer.headers.get_all("content-length", [])
        codings = answer.headers.get_all("transfer-encoding", [])
        doubtful = (
            len(lengths) + len(codings) > 1 or answer.status == _SWITCHED or answer.will_close
        )
        return ended and not (doubtful or incoming.excess or self._line.is_unpacked)

    def close(self) -> None:
        self._line.close()


def _body(answer: HTTPResponse, most: int) -> bytes:
    """What was read of the body.

    The status is known by now and is what counts, so a body that breaks off or does not end in
    time is cut, and its connection not used again.
    """
    parts, count = [], 0
    try:
        while count < most and (part := answer.read1(most - count)):
            count += len(part)
            parts.append(part)
    except (HTTPException, OSError):
        answer.will_close = True
    return b"".join(parts)


def _within(seconds: float, by: float) -> float:
    """So long, but not beyond `by`."""
    return max(min(seconds, by - monotonic()), 0.0)
