"""Line: what bytes go out and come in on, each way within a time for the whole of it.

Used by `pipeline.targets.connection`, and by `pipeline.targets.dial` to ask a proxy.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import struct
import sys
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

_TIMEVAL = struct.Struct("@ll")
_NOBODY_MINDS_SECONDS = 0.01

# Linux's `struct tcp_info`: the state of the connection, and how many bytes have come in on it,
# among which the end counts as one.
_TCP_INFO = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_ESTABLISHED, _RECEIVED_AT, _RECEIVED = 1, 128, struct.Struct("@Q")


class Line:
    """The socket of a connection, without TLS. It raises `TimeoutError` when `end` has come.

    The kernel keeps the time: Python's way of it is three calls that may wait rather than one.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._read_bytes = 0
        self._timeouts = {socket.SO_SNDTIMEO: inf, socket.SO_RCVTIMEO: inf}
        sock.settimeout(None)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come that was not read: neither bytes nor the end."""
        return self._has_all() or not self._poll.poll(0)

    @property
    def is_unpacked(self) -> bool:
        """Whether it holds bytes that it has read already: these `is_quiet` would not see."""
        return False

    def send(self, part: memoryview, end: float) -> int:
        """How much of it was sent."""
        try:
            self._allow(socket.SO_SNDTIMEO, until(end))
            return self._sock.send(part)
        except BlockingIOError as error:
            raise TimeoutError("it was not taken in time") from error

    def read(self, most: int, end: float) -> bytes:
        """What came next; nothing when the other side has ended."""
        try:
            self._allow(socket.SO_RCVTIMEO, until(end))
            part = self._sock.recv(most)
        except BlockingIOError as error:
            raise TimeoutError("nothing came in time") from error
        self._read_bytes += len(part)
        return part

    def close(self) -> None:
        with suppress(OSError):
            self._sock.close()

    def _has_all(self) -> bool:
        """Whether the kernel knows of nothing that was not read. It may not say, or not count:
        then nothing is known.

        Unlike `poll` it is asked without letting another thread have the interpreter.
        """
        if _TCP_INFO is None:
            return False
        info = self._sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _RECEIVED_AT + _RECEIVED.size)
        if len(info) < _RECEIVED_AT + _RECEIVED.size or info[0] != _ESTABLISHED:
            return False
        (received,) = _RECEIVED.unpack_from(info, _RECEIVED_AT)
        return bool(received == self._read_bytes)

    def _allow(self, what: int, seconds: float) -> None:
        """Let calls wait that long, give or take what nobody minds."""
        if abs(self._timeouts[what] - seconds) > _NOBODY_MINDS_SECONDS:
            whole, part = divmod(seconds, 1)
            # Not zero, which means for ever.
            timeval = _TIMEVAL.pack(int(whole), int(part * 1_000_000) or 1)
            self._sock.setsockopt(socket.SOL_SOCKET, what, timeval)
            self._timeouts[what] = seconds


class SecuredLine(Line):
    """One with TLS, which reads whole records and waits by itself."""

    _sock: ssl.SSLSocket

    @property
    def is_unpacked(self) -> bool:
        return self._sock.pending() > 0

    def send(self, part: memoryview, end: float) -> int:
        self._sock.settimeout(until(end))
        return self._sock.send(part)

    def read(self, most: int, end: float) -> bytes:
        self._sock.settimeout(until(end))
        return self._sock.recv(most)

    def _has_all(self) -> bool:
        return False  # the kernel counts what is encrypted


class Incoming(io.RawIOBase):
    """What comes in on a line, until `end`, behind what has `begun` to come. To `HTTPResponse` it
    stands for the socket."""

    def __init__(self, line: Line, end: float, begun: bytes = b"") -> None:
        self._line, self._end, self._begun = line, end, begun
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
        most = len(buffer)
        part = self._begun[:most] or self._line.read(most, self._end)
        self._begun = self._begun[most:]
        buffer[: len(part)] = part
        return len(part)


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
