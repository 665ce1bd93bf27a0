"""Connections of the API's server: the handshake of TLS, and requests whose size is not plain.

The handshake is made by the thread that will read the request, so that nobody who is slow at it
keeps others from being taken. A request with two lengths, or a length that is none, is refused,
as is one that shows twice who asks: a proxy before it may have read it otherwise (RFC 9112, 6.3).
No line is read without a bound. What is refused here is answered as the application answers, by a
problem document.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import ssl
import uuid
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from cheroot.errors import MaxSizeExceeded
from cheroot.makefile import StreamReader, StreamWriter
from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest

from pipeline.api.problems import CONTENT_TYPE, Problem

_LONGEST_LINE = 64 * 1024
_ONCE = frozenset({b"Authorization", b"Content-Length", b"Host", b"X-Auth-Token"})
_LENGTH = re.compile(rb"[0-9]{1,15}")
_MENDS = {
    HTTPStatus.REQUEST_URI_TOO_LONG: "Shorten it: api.max_header_bytes is the most.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Send less: api.max_header_bytes is the most of a head,"
    " api.max_body_bytes of a body.",
    HTTPStatus.NOT_IMPLEMENTED: "Send the body as it is, or in chunks.",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "Ask by HTTP/1.1.",
}
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This port speaks TLS only: ask https://.\n"
)


class _Headers(dict[bytes, bytes]):
    """Headers by name; one that decides who asks, or what, is there once."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name in _ONCE and name in self:
            raise ValueError(f"The header {name.decode('latin-1')} is there twice.")
        super().__setitem__(name, value)


class _HeaderReader(HeaderReader):
    """Passes over names with a _, which WSGI cannot tell from those with a -: a proxy that takes
    X-Forwarded-For away would let X_Forwarded_For through."""

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name


class Request(HTTPRequest):
    """A request as it is read."""

    header_reader = _HeaderReader()

    def read_request_headers(self) -> bool:
        """Read them; False where the request was refused."""
        self.inheaders = _Headers()
        if not super().read_request_headers():  # type: ignore[no-untyped-call]
            return False
        length = self.inheaders.get(b"Content-Length")
        if length is None:
            return True
        if self.chunked_read or not _LENGTH.fullmatch(length):
            self.simple_response("400 Bad Request", "The length of the body is not plain.")
            return False
        return True

    def simple_response(self, status: str, msg: str = "") -> None:
        """Refuse the request, with nothing to follow it on this connection; the log tells of it.

        cheroot calls it for whatever does not get as far as the application.
        """
        self.close_connection = True
        found = HTTPStatus(int(str(status)[:3]))
        detail = " ".join(filter(None, (msg or f"{found.phrase}.", _MENDS.get(found))))
        request_id = f"req-{uuid.uuid4()}"
        body = json.dumps(Problem(found, detail).document(request_id)).encode()
        head = (
            f"HTTP/1.1 {found.value} {found.phrase}\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nX-Openstack-Request-Id: {request_id}\r\n"
            "Connection: close\r\n\r\n"
        )
        self.server.log.info(
            "api.refused",
            status=found.value,
            reason=detail,
            remote=self.conn.remote_addr,
            request_id=request_id,
        )
        with suppress(OSError):  # whoever asked may be gone
            self.conn.wfile.write(head.encode("ascii") + body)


class Connection(HTTPConnection):
    """A connection, over TLS where its socket is."""

    RequestHandlerClass = Request
    _is_ready = False

    def __init__(self, server: Any, sock: socket.socket, makefile: Any = None) -> None:
        super().__init__(server, sock, bounded_file)

    def communicate(self) -> bool:
        """Serve a request; whether the connection stays."""
        if not self._is_ready:
            if isinstance(self.socket, ssl.SSLSocket) and not _shook_hands(self.socket):
                return False
            self._is_ready = True
        return bool(super().communicate())  # type: ignore[no-untyped-call]


class _Reader(StreamReader):
    """Reads no line of any length, which the parts of a chunked body could have."""

    def readline(self, size: int | None = -1) -> bytes:
        if size is not None and size >= 0:
            return bytes(super().readline(size))
        line = bytes(super().readline(_LONGEST_LINE + 1))
        if len(line) > _LONGEST_LINE:
            raise MaxSizeExceeded
        return line


def bounded_file(sock: Any, mode: str = "r", bufsize: int = io.DEFAULT_BUFFER_SIZE) -> Any:
    """What reads or writes a connection, no line of any length."""
    kind = _Reader if "r" in mode else StreamWriter
    return kind(sock, mode, bufsize)


def _shook_hands(wrapped: ssl.SSLSocket) -> bool:
    try:
        wrapped.do_handshake()
    except OSError as error:
        if "HTTP_REQUEST" in str(getattr(error, "reason", "")):
            _say_that_it_is_tls(wrapped)
        return False
    return True


def _say_that_it_is_tls(wrapped: ssl.SSLSocket) -> None:
    """Answer in plain HTTP to whoever sent that."""
    with suppress(OSError), socket.socket(fileno=os.dup(wrapped.fileno())) as plain:
        plain.send(_PLAIN_HTTP)
