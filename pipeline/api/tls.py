"""TLS of the API: a certificate from files, read again when they are renewed.

A connection keeps what it began with; those that come later get the new one. The handshake is
left to `pipeline.api.connection`.
"""

from __future__ import annotations

import io
import socket
import ssl
from typing import Any

from cheroot.ssl import Adapter

from pipeline.access.settings import ApiSettings
from pipeline.api.connection import bounded_file
from pipeline.errors import InvalidValue


def context_of(settings: ApiSettings) -> ssl.SSLContext:
    """What connections are made with. Raises `InvalidValue`, naming the file and the mend."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    key = settings.key or settings.certificate
    try:
        # A key with a password is not to ask for it at the terminal.
        context.load_cert_chain(settings.certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise InvalidValue(
            f"the certificate {settings.certificate} with the key {key} cannot be used: "
            f"{_said(error)}. Both are PEM files, belong together, and have no password.",
            "api.certificate",
        ) from error
    if settings.client_ca:
        try:
            context.load_verify_locations(settings.client_ca)
        except (OSError, ValueError) as error:
            raise InvalidValue(
                f"the authorities in {settings.client_ca} cannot be used: {_said(error)}. It is "
                "a PEM file of certificates.",
                "api.client_ca",
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Tls(Adapter):
    """cheroot's way to TLS. `context` may be changed at any time."""

    def __init__(self, settings: ApiSettings) -> None:
        """Raises `InvalidValue`."""
        super().__init__(settings.certificate, settings.key)
        self.context = context_of(settings)

    def bind(self, sock: socket.socket) -> socket.socket:
        """The socket that listens, as it is."""
        return sock

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, Any]]:
        """The connection, its handshake still to be made, and what requests on it are told."""
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, self.get_environ()

    def get_environ(self) -> dict[str, Any]:
        """What requests are told."""
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(
        self, sock: socket.socket, mode: str = "r", bufsize: int = io.DEFAULT_BUFFER_SIZE
    ) -> Any:
        """What reads or writes the connection."""
        return bounded_file(sock, mode, bufsize)


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
