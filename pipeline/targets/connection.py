"""Connections to receivers: kept open between requests, and never held for ever.

A time-out of a socket bounds one call: one address, one read. A receiver that sends a byte now
and then, or whose name has a hundred dead addresses, would hold a notifier's thread as long as it
likes. Here each phase has one bound for the whole of it: all addresses together, the TLS
handshake, sending the request, and the answer from its first byte to its last.

A connection that was kept open may be gone by the time it is used again. Then the request is sent
once more over a new one; whoever did take the first knows the second by its `webhook-id`.

No pool of urllib3 and no session of requests: either takes longer than all else that becomes of a
delivery. `http.client` reads the answers, but for plain heads (`pipeline.targets.plain_head`).
Each call of a socket that may wait lets another thread have the interpreter, and waits to get it
back; so there are as few as can be. Knows nothing of notifications. Used by
`pipeline.targets.http` alone, from many threads.

    NotConnected ─┬─ BadHost       no name can be looked up so
                  ├─ UnknownHost   its name does not resolve
                  └─ NoTimeLeft    it took too long
    NotTaken      the request was not taken in time
    OSError, http.client.HTTPException: whatever else goes wrong with a connection
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPResponse
from math import inf
from time import monotonic
from typing import Any, TypeVar

from pipeline.targets.endpoint import Endpoint
from pipeline.targets.plain_head import PlainlyRead

_RECEIVERS_REMEMBERED = 256
_KEPT_AT_MOST = 256
"""Connections to all receivers together: a quarter of the files that a process may often open."""

_SWITCHED, _FIRST_FINAL = 101, 200
_TIMEVAL = struct.Struct("@ll")

Said = TypeVar("Said")


class NotConnected(Exception):
    """There is no connection; the cause says why."""


class BadHost(NotConnected):
    """No name can be looked up so."""


class UnknownHost(NotConnected):
    """The name does not resolve."""


class NoTimeLeft(NotConnected):
    """Connecting, or the TLS handshake, took too long."""


class NotTaken(Exception):
    """The request was not taken in time."""


class Connections:
    """Sends requests over connections that it keeps. Safe to use from many threads.

    `tls` holds the TLS context to use for each value of `verify`; of each receiver at most
    `per_receiver` connections are kept, and of all together a bounded number.
    """

    def __init__(
        self,
        tls: Mapping[bool, ssl.SSLContext],
        per_receiver: int,
        connect_seconds: float,
        read_seconds: float,
    ) -> None:
        self._tls, self._per_receiver = tls, per_receiver
        self._connect_seconds, self._read_seconds = connect_seconds, read_seconds
        self._kept: OrderedDict[tuple[bool, bool, str, int], list[_Connection]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def send(
        self,
        endpoint: Endpoint,
        verify: bool,
        request: bytes,
        read: Callable[[HTTPResponse], Said],
        by: float = inf,
    ) -> Said:
        """What `read` makes of the answer to the request. No phase lasts beyond `by`, a time of
        `time.monotonic`.

        A kept connection's time counts as time of connecting: a second try makes an attempt no
        longer than `DeliverySettings.longest_attempt_seconds`.
        """
        key = (endpoint.secure, verify, endpoint.host, endpoint.port)
        connect_by = min(monotonic() + self._connect_seconds, by)
        if kept := self._take(key):
            try:
                return self._over(kept, key, request, read, by)
            except ConnectionError:
                if monotonic() >= connect_by:
                    raise
        tls = self._tls[verify] if endpoint.secure else None
        new = _Connection(endpoint, tls, connect_by, _within(self._connect_seconds, by))
        return self._over(new, key, request, read, by)

    def close(self) -> None:
        """Close all connections that are not in use."""
        with self._lock:
            kept = [connection for some in self._kept.values() for connection in some]
            self._kept.clear()
            self._count = 0
        for connection in kept:
            connection.close()

    def _over(
        self,
        connection: _Connection,
        key: tuple[bool, bool, str, int],
        request: bytes,
        read: Callable[[HTTPResponse], Said],
        by: float,
    ) -> Said:
        reusable = False
        try:
            connection.send(request, _within(self._connect_seconds, by))
            answer = connection.answer(_within(self._read_seconds, by))
            said = read(answer)
            reusable = connection.can_be_kept(answer)
            answer.close()
        finally:
            if reusable:
                self._keep(key, connection)
            else:
                connection.close()
        return said

    def _take(self, key: tuple[bool, bool, str, int]) -> _Connection | None:
        while True:
            with self._lock:
                kept = self._kept.get(key)
                if not kept:
                    return None
                connection = kept.pop()
                self._count -= 1
            if connection.is_quiet:
                return connection
            connection.close()

    def _keep(self, key: tuple[bool, bool, str, int], connection: _Connection) -> None:
        dropped = [connection]
        with self._lock:
            kept = self._kept.setdefault(key, [])
            self._kept.move_to_end(key)
            if len(kept) < self._per_receiver:
                kept.append(dropped.pop())
                self._count += 1
            while self._count > _KEPT_AT_MOST or len(self._kept) > _RECEIVERS_REMEMBERED:
                _, oldest = self._kept.popitem(last=False)
                self._count -= len(oldest)
                dropped += oldest
        for one in dropped:
            one.close()


class _Connection:
    """A connection, with TLS where `tls` is given; made when the object is."""

    def __init__(
        self,
        endpoint: Endpoint,
        tls: ssl.SSLContext | None,
        connect_by: float,
        handshake_seconds: float,
    ) -> None:
        sock = _connected(endpoint, connect_by)
        if tls:
            secured = _shaken_hands(sock, endpoint, tls, handshake_seconds)
            self._line: _Line = _SecuredLine(secured)
        else:
            self._line = _Line(sock)

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

    def answer(self, seconds: float) -> HTTPResponse:
        """The answer, its head read. Neither head nor body can take longer than that.

        What a server says before it, such as 103 Early Hints, is passed over.
        """
        incoming: Any = _Incoming(self._line, monotonic() + seconds)
        self._incoming = incoming
        while True:
            answer = PlainlyRead(incoming, method="POST")
            answer.begin()
            if answer.status >= _FIRST_FINAL or answer.status == _SWITCHED:
                return answer

    def can_be_kept(self, answer: HTTPResponse) -> bool:
        """Whether the answer has ended as it said it would, beyond doubt, and nothing speaks
        against another. The next answer must not be read out of the rest of this one."""
        ended = answer.isclosed() if answer.chunked else answer.length == 0
        lengths = answer.headers.get_all("content-length", [])
        codings = answer.headers.get_all("transfer-encoding", [])
        doubtful = (
            len(lengths) + len(codings) > 1 or answer.status == _SWITCHED or answer.will_close
        )
        return ended and not (doubtful or self._incoming.excess or self._line.is_unpacked)

    def close(self) -> None:
        self._line.close()


class _Line:
    """The socket of a connection, without TLS. It raises `TimeoutError` when `end` has come.

    The kernel keeps the time: Python's way of it is three calls that may wait rather than one.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        sock.settimeout(None)

    @property
    def is_quiet(self) -> bool:
        return not self._poll.poll(0)

    @property
    def is_unpacked(self) -> bool:
        """Whether it holds bytes that it has read already: these `is_quiet` would not see."""
        return False

    def send(self, part: memoryview, end: float) -> int:
        """How much of it was sent."""
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _time_until(end))
            return self._sock.send(part)
        except BlockingIOError as error:
            raise TimeoutError("it was not taken in time") from error

    def read_into(self, buffer: Any, end: float) -> int:
        """How much was read; nothing when the other side has ended."""
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _time_until(end))
            return self._sock.recv_into(buffer)
        except BlockingIOError as error:
            raise TimeoutError("nothing came in time") from error

    def close(self) -> None:
        with suppress(OSError):
            self._sock.close()


class _SecuredLine(_Line):
    """One with TLS, which reads whole records and waits by itself."""

    _sock: ssl.SSLSocket

    @property
    def is_unpacked(self) -> bool:
        return self._sock.pending() > 0

    def send(self, part: memoryview, end: float) -> int:
        self._sock.settimeout(_until(end))
        return self._sock.send(part)

    def read_into(self, buffer: Any, end: float) -> int:
        self._sock.settimeout(_until(end))
        return self._sock.recv_into(buffer)


class _Incoming(io.RawIOBase):
    """What comes in on a line, until `end`. To `HTTPResponse` it stands for the socket."""

    def __init__(self, line: _Line, end: float) -> None:
        self._line, self._end = line, end
        self._buffered = _StaysOpen(self)
        self._ended = False

    @property
    def excess(self) -> bool:
        """Whether more has come than the answer, which has ended."""
        self._ended = True
        return bool(self._buffered.peek(1))

    def makefile(self, mode: str) -> io.BufferedReader:
        return self._buffered

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._ended:
            return None
        return self._line.read_into(buffer, self._end)


class _StaysOpen(io.BufferedReader):
    """A buffer that `HTTPResponse` may close and that can still be asked what is left in it."""

    def close(self) -> None:
        """It holds nothing but memory."""


def _within(seconds: float, by: float) -> float:
    """So long, but not beyond `by`."""
    return max(min(seconds, by - monotonic()), 0.0)


def _until(end: float) -> float:
    left = end - monotonic()
    if left <= 0:
        raise TimeoutError("it did not end in time")
    return left


def _time_until(end: float) -> bytes:
    """The time left as the kernel takes it, a `struct timeval`. Not zero, which means for ever."""
    seconds, part = divmod(_until(end), 1)
    return _TIMEVAL.pack(int(seconds), int(part * 1_000_000) or 1)


def _connected(endpoint: Endpoint, connect_by: float) -> socket.socket:
    addresses = _addresses(endpoint)
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


def _addresses(endpoint: Endpoint) -> list[Any]:
    try:
        return socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise UnknownHost from error
    except UnicodeError as error:
        raise BadHost from error


def _shaken_hands(
    sock: socket.socket, endpoint: Endpoint, tls: ssl.SSLContext, seconds: float
) -> ssl.SSLSocket:
    """TLS over the socket, which is closed if that fails. The handshake has one bound in all."""
    # A certificate knows neither the dot that may end a name nor the zone of an address.
    name = endpoint.host.rstrip(".").partition("%")[0]
    end = monotonic() + seconds
    secured = None
    try:
        sock.settimeout(seconds)
        secured = tls.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
        secured.settimeout(_until(end))
        secured.do_handshake()
    except TimeoutError as error:
        (secured or sock).close()
        raise NoTimeLeft from error
    except (OSError, ValueError):
        (secured or sock).close()
        raise
    return secured
