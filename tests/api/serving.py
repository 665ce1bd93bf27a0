"""A real API server on loopback, asked over a real connection.

with served(store, certificate=…) as server:
    server.speak(b"GET / HTTP/1.1\r\n…")     what it answers, as bytes
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from structlog.testing import CapturingLogger

from pipeline.access import LOCAL
from pipeline.access.settings import ApiSettings
from pipeline.api import ApiServer, make_app
from pipeline.store.sql import SqlStore

from cli.application import TestApplication

SECONDS = 20


class Served:
    """A server that runs; `log` is what it said."""

    def __init__(self, server: ApiServer, log: CapturingLogger) -> None:
        self.server, self.log, self.port = server, log, server.port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def speak(self, *sent: bytes) -> bytes:
        """All that is answered until the server closes."""
        with self.connect() as connection:
            return _speak(connection, *sent)

    def speak_tls(self, context: ssl.SSLContext, *sent: bytes) -> tuple[bytes, Any]:
        """The same over TLS; and the certificate that the server showed."""
        with (
            self.connect() as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            shown = connection.getpeercert()
            return _speak(connection, *sent), shown

    def told(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log of this event."""
        return [call.kwargs for call in self.log.calls if call.args == (event,)]


def get(path: str = "/v1/alarms", **headers: str) -> bytes:
    """A request, after which the connection is to be closed."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@contextmanager
def served(store: SqlStore, **settings: Any) -> Iterator[Served]:
    """A server that is asked by an admin."""
    log, made = CapturingLogger(), ApiSettings(port=0, **settings)
    server = ApiServer(make_app(TestApplication(store), lambda _: LOCAL, made, log), made, log)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Served(server, log)
    finally:
        server.stop()
        thread.join()


def _speak(connection: socket.socket, *sent: bytes) -> bytes:
    answer = b""
    try:
        for part in sent:
            connection.sendall(part)
        while part := connection.recv(65_536):
            answer += part
    except (ConnectionResetError, BrokenPipeError):
        pass  # it was refused before all of it was read
    return answer
