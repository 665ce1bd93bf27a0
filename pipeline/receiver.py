"""Receiver: a small HTTP server that takes callbacks and keeps them in order.

For the demo, the compose file and tests; never a part of a running Tocsin. In a program:

    with Receiver() as receiver:
        …                                     # actions go to receiver.url
        callbacks = receiver.wait_for(2, timeout_seconds=10)

By hand, `python -m pipeline.receiver --port 8900` prints each callback as it comes.
"""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import click

_LARGEST_BODY = 16 * 1024 * 1024


@dataclass(frozen=True)
class Callback:
    """One request as it came. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body read as JSON; raises `ValueError` if it is none."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What the receiver answers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Receiver:
    """Listens as soon as it is made (port 0: a free one) and serves in threads of its own.

    `answer` is called for each callback, in the thread of its connection, after the callback has
    been recorded: it may wait, to play a slow receiver.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        answer: Callable[[Callback], Reply] = lambda callback: Reply(),
    ) -> None:
        self._answer = answer
        self._callbacks: list[Callback] = []
        self._changed = threading.Condition()
        self._server = _Server((host, port), self)
        self.host, self.port = host, int(self._server.server_address[1])
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True
        self._thread.start()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def callbacks(self) -> list[Callback]:
        """All callbacks so far, in the order in which they came."""
        with self._changed:
            return list(self._callbacks)

    def wait_for(self, count: int, timeout_seconds: float) -> list[Callback]:
        """All callbacks, once there are `count`. Raises `TimeoutError` when they do not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._callbacks) >= count, timeout_seconds):
                came = len(self._callbacks)
                raise TimeoutError(f"{came} of {count} callbacks came in {timeout_seconds:g} s")
            return list(self._callbacks)

    def close(self) -> None:
        """Listen no more and break off every connection."""
        self._server.shutdown()
        self._server.server_close()
        self._server.break_connections()
        self._thread.join()

    def take(self, callback: Callback) -> Reply:
        """Record a callback, and say what to answer."""
        with self._changed:
            self._callbacks.append(callback)
            self._changed.notify_all()
        return self._answer(callback)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        self.receiver = receiver
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away before it was answered is its own affair."""

    def break_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it was closed by the other side just now


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if not 0 <= length <= _LARGEST_BODY:
            self.close_connection = True
            self._reply(Reply(413))
            return
        body = self.rfile.read(length)
        if len(body) < length:  # broken off by the sender: no request has come
            self.close_connection = True
            return
        named = {name.lower(): value for name, value in self.headers.items()}
        self._reply(self.server.receiver.take(Callback(self.command, self.path, named, body)))

    do_PUT = do_GET = do_DELETE = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: who runs the receiver looks at the callbacks."""

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)


# --- for people ----------------------------------------------------------------------------------


def described(callback: Callback, repeated: bool = False) -> str:
    """A callback for a person to read: the request, its id, and its body laid out."""
    again = "   (a repeat: this id came before)" if repeated else ""
    delivery = callback.headers.get("webhook-id", "none")
    lines = [
        f"{callback.method} {_safe(callback.path)}",
        f"  webhook-id: {_safe(delivery)}{again}",
    ]
    try:
        body = json.dumps(callback.json(), indent=2)
    except ValueError:
        body = repr(callback.body)
    return "\n".join([*lines, *(f"  {line}" for line in body.splitlines())])


def _safe(text: str) -> str:
    """As ASCII, control characters escaped: a terminal must not obey what a sender writes."""
    return ascii(text)[1:-1]


def _print_each() -> Callable[[Callback], Reply]:
    seen: set[str] = set()
    lock = threading.Lock()

    def answer(callback: Callback) -> Reply:
        delivery = callback.headers.get("webhook-id", "")
        with lock:
            click.echo(described(callback, repeated=delivery in seen) + "\n")
            seen.update({delivery} - {""})
        return Reply(200, {"content-type": "text/plain"}, b"received\n")

    return answer


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8900, show_default=True, help="The port; 0 takes a free one.")
def main(host: str, port: int) -> None:
    """Take callbacks over HTTP and print each, until interrupted."""
    wanted = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: wanted.set())
    with Receiver(host, port, _print_each()) as receiver:
        click.echo(f"Waiting for callbacks at {receiver.url}\n")
        # Short waits, so that a signal's handler runs soon wherever the signal was delivered.
        while not wanted.wait(0.5):
            pass


if __name__ == "__main__":
    main()
