"""Line: what bytes go out and come in on, each way within a time for the whole of it.

Used by `pipeline.targets.connection`, and by `pipeline.targets.dial` to ask a proxy.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import struct
from contextlib import suppress
from time import monotonic
from typing import Any

_TIMEVAL = struct.Struct("@ll")


class Line:
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


class SecuredLine(Line):
    """One with TLS, which reads whole records and waits by itself."""

    _sock: ssl.SSLSocket

    @property
    def is_unpacked(self) -> bool:
        return self._sock.pending() > 0

    def send(self, part: memoryview, end: float) -> int:
        self._sock.settimeout(until(end))
        return self._sock.send(part)

    def read_into(self, buffer: Any, end: float) -> int:
        self._sock.settimeout(until(end))
        return self._sock.recv_into(buffer)


class Incoming(io.RawIOBase):
    """What comes in on a line, until `end`. To `HTTPResponse` it stands for the socket."""

    def __init__(self, line: Line, end: float) -> None:
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


def until(end: float) -> float:
    """How long it is until then. Raises `TimeoutError` when it has come."""
    left = end - monotonic()
    if left <= 0:
        raise TimeoutError("it did not end in time")
    return left


def _time_until(end: float) -> bytes:
    """The time left as the kernel takes it, a `struct timeval`. Not zero, which means for ever."""
    seconds, part = divmod(until(end), 1)
    return _TIMEVAL.pack(int(seconds), int(part * 1_000_000) or 1)
