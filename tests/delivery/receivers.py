"""Receivers that misbehave, over plain sockets, and certificates for those that do not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trustme

PATIENCE = {"connect_timeout_seconds": 2.0, "read_timeout_seconds": 0.4}
"""Settings with patience enough for a loaded machine to connect, and an answer soon given up."""

Script = Callable[[socket.socket], None]


class Unruly:
    """Accepts connections and lets `script` do what it will with each, in a thread of its own.

    A script gets the connection after the request has come in whole, or at once where the server
    is the one that speaks first.
    """

    def __init__(
        self, script: Script, tls: ssl.SSLContext | None = None, *, speaks_first: bool = False
    ) -> None:
        self._script, self._tls, self._speaks_first = script, tls, speaks_first
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Unruly:
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would leave the accepting thread waiting.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            if not self._speaks_first:
                read_request(connection)
            self._script(connection)


def read_request(connection: socket.socket) -> bytes:
    """One whole request with a content-length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(lengths[0].split(b":")[1]):
        body += _some(connection)
    return head + b"\r\n\r\n" + body


def _some(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    if not part:
        raise OSError("the client has gone")
    return part


def say(*parts: bytes) -> Script:
    """A script that sends these bytes and closes."""

    def script(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return script


def trickle(head: bytes, drop: bytes, ended: threading.Event) -> Script:
    """A script that sends `head`, then a drop now and then until the client hangs up."""

    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        while not ended.wait(0.02):
            connection.sendall(drop)

    return script


def flood(head: bytes, ended: threading.Event) -> Script:
    """A script whose answer never ends, as fast as it is taken."""

    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        while not ended.is_set():
            connection.sendall(b"x" * 65536)

    return script


def reset(connection: socket.socket) -> None:
    """A script that breaks the connection off with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


class Certificates:
    """An authority of the test's own, its server context, and its files."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.ca_bundle = str(directory / "ca.pem")
        self._authority.cert_pem.write_to_path(self.ca_bundle)
        client = self._authority.issue_cert("client@example.org")
        self.client_certificate = str(directory / "client.pem")
        self.client_key = str(directory / "client.key")
        for blob in client.cert_chain_pems:
            blob.write_to_path(self.client_certificate, append=True)
        client.private_key_pem.write_to_path(self.client_key)

    def server(self, name: str = "127.0.0.1", ask_client: bool = False) -> ssl.SSLContext:
        """The context of a server with a certificate for `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(name).configure_cert(context)
        if ask_client:
            self._authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
