"""A door before a real AMQP broker: it knows one user and password, and lets them in as its own.

So that tests can have a password of their own without being the broker's administrator. It
changes nothing but the client's first frame, `Connection.StartOk`, in which the login stands.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from contextlib import suppress
from urllib.parse import unquote, urlsplit

_GREETING = 8
_FRAME_HEAD = struct.Struct(">BHI")
_LONG = struct.Struct(">I")


class Door:
    """A port that leads to the broker at a URL, for whoever has the password."""

    def __init__(
        self, url: str, user: str, password: str, tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(url)
        self._there = (parts.hostname or "", parts.port or 5672)
        self._inner = unquote(parts.username or "guest"), unquote(parts.password or "guest")
        self._outer, self._tls = (user, password), tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with suppress(OSError), near, socket.create_connection(self._there, 10) as far:
            if self._tls:
                near = self._tls.wrap_socket(near, server_side=True)
            far.settimeout(None)
            threading.Thread(target=_carry, args=(far, near), daemon=True).start()
            far.sendall(_exactly(near, _GREETING))
            head = _exactly(near, _FRAME_HEAD.size)
            kind, channel, size = _FRAME_HEAD.unpack(head)
            payload = self._let_in(_exactly(near, size))
            far.sendall(_FRAME_HEAD.pack(kind, channel, len(payload)) + payload)
            _carry(near, far)

    def _let_in(self, payload: bytes) -> bytes:
        """The frame's payload with the broker's own login. Raises `OSError` for another's."""
        outer, inner = _amqplain(*self._outer), _amqplain(*self._inner)
        if outer not in payload:
            raise OSError("whoever came has not the password")
        return payload.replace(outer, inner)


def _amqplain(user: str, password: str) -> bytes:
    """The login as AMQPLAIN writes it: a table without its own length, as a long string."""
    table = b"".join(
        bytes([len(name)]) + name + b"S" + _LONG.pack(len(value)) + value
        for name, value in ((b"LOGIN", user.encode()), (b"PASSWORD", password.encode()))
    )
    return _LONG.pack(len(table)) + table


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise OSError("the client has gone")
        data += part
    return data


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
