"""Mail servers that misbehave, each in one way; entering one gives the options that lead to it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import trustme

from delivery.mail_server import mail_server
from delivery.receivers import Script, Unruly, reset, say
from targets import scenes
from targets.contract import SECRET, Scene

RECIPIENT: Final = "someone@example.org"
_GREETING: Final = b"220 mail.example.org ESMTP\r\n"


def options(port: int, **changes: Any) -> dict[str, Any]:
    """The options that lead to a server on loopback."""
    return {
        "server": "127.0.0.1",
        "port": port,
        "mode": "insecure",
        "username": "tocsin",
        "password": SECRET,
        "mailto": [RECIPIENT],
        **changes,
    }


@contextmanager
def _works() -> Iterator[Mapping[str, Any]]:
    with mail_server(login=("tocsin", SECRET)) as server:
        yield options(server.port)


def _over(name: str) -> Scene:
    """What is as bad for a mail server as for one of HTTP."""

    @contextmanager
    def scene() -> Iterator[Mapping[str, Any]]:
        with scenes.HTTP[name]() as url:
            parts = urlsplit(url)
            yield options(parts.port or 25, server=parts.hostname)

    return scene


def _scripted(script: Script) -> Scene:
    @contextmanager
    def scene() -> Iterator[Mapping[str, Any]]:
        with Unruly(script, speaks_first=True) as server:
            yield options(urlsplit(server.url).port or 0)

    return scene


def _answering(line: bytes) -> Scene:
    """The server greets so and hangs up, as they do who want nothing now or ever."""

    def script(connection: socket.socket) -> None:
        connection.sendall(line + b"\r\n")
        connection.recv(1)

    return _scripted(script)


@contextmanager
def _silent() -> Iterator[Mapping[str, Any]]:
    ended = threading.Event()

    def greet_and_wait(connection: Any) -> None:
        connection.sendall(_GREETING)
        ended.wait(60)

    with Unruly(greet_and_wait, speaks_first=True) as server:
        yield options(urlsplit(server.url).port or 0)
        ended.set()


@contextmanager
def _untrusted() -> Iterator[Mapping[str, Any]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with Unruly(say(_GREETING), context, speaks_first=True) as server:
        yield options(urlsplit(server.url).port or 0, mode="tls")


SMTP: Final[Mapping[str, Scene]] = {
    "works": _works,
    "unreachable": _over("unreachable"),
    "unknown_name": _over("unknown_name"),
    "silent": _silent,
    "resets": _scripted(reset),
    "babbles": _scripted(say(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    "untrusted": _untrusted,
    "not_now": _answering(b"421 too busy"),
    "refuses": _answering(b"554 go away"),
}
"""By the scenes' names of `targets.contract.EXPECTED`."""
