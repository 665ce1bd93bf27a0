"""HTTP servers that misbehave, each in one way; entering one gives its URL.

Over plain sockets and on loopback. Each ends with its scene.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import trustme

from pipeline.receiver import Callback, Receiver, Reply

from delivery.receivers import Script, Unruly, flood, reset, say, trickle

Server = Callable[[], AbstractContextManager[str]]


def answering(
    status: int, headers: Mapping[str, str] | None = None, body: bytes = b"no"
) -> AbstractContextManager[str]:
    """Whatever is asked, the answer is this."""
    return _served(lambda callback: Reply(status, headers or {}, body))


def echoing(status: int, echo: Callable[[Callback], bytes]) -> AbstractContextManager[str]:
    """The answer repeats of the request what `echo` makes of it."""
    return _served(lambda callback: Reply(status, {}, echo(callback)))


@contextmanager
def trickling(head: bytes, drop: bytes) -> Iterator[str]:
    """The answer comes drop by drop and does not end."""
    ended = threading.Event()
    with Unruly(trickle(head, drop, ended)) as server:
        yield _root(server)
        ended.set()


@contextmanager
def flooding(head: bytes) -> Iterator[str]:
    """The answer comes fast and does not end."""
    ended = threading.Event()
    with Unruly(flood(head, ended)) as server:
        yield _root(server)
        ended.set()


@contextmanager
def _served(answer: Callable[[Callback], Reply]) -> Iterator[str]:
    with Receiver(answer=answer) as receiver:
        yield receiver.url


@contextmanager
def _unreachable() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def _unknown_name() -> Iterator[str]:
    yield "http://nobody.invalid"


@contextmanager
def _silent() -> Iterator[str]:
    ended = threading.Event()

    def wait(connection: socket.socket) -> None:
        ended.wait(60)

    with Unruly(wait) as server:
        yield _root(server)
        ended.set()


def _scripted(script: Script) -> Server:
    @contextmanager
    def server() -> Iterator[str]:
        with Unruly(script) as unruly:
            yield _root(unruly)

    return server


@contextmanager
def _untrusted() -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with Unruly(say(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), context) as server:
        yield _root(server)


@contextmanager
def no_tls() -> Iterator[str]:
    """Speaks plain HTTP where TLS is asked for."""
    with Receiver() as receiver:
        yield receiver.url.replace("http:", "https:")


def _root(server: Unruly) -> str:
    return server.url.removesuffix("/hook")


HTTP: Final[Mapping[str, Server]] = {
    "unreachable": _unreachable,
    "unknown_name": _unknown_name,
    "silent": _silent,
    "resets": _scripted(reset),
    "babbles": _scripted(say(b"220 mail.example.org ESMTP\r\n")),
    "untrusted": _untrusted,
    "not_now": lambda: answering(503),
    "refuses": lambda: answering(400),
}
"""By the scenes' names of `targets.contract.EXPECTED`."""
