"""What the publishers' tests share: servers to publish to, and a wire between that can be cut."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipeline.event import Event
from pipeline.publishers.base import Tools
from pipeline.publishers.settings import PublishingSettings

QUICK = Tools(settings=PublishingSettings(timeout_seconds=0.5))
"""Tools of little patience, for sinks that do not answer."""


def ids(events: Sequence[Event]) -> list[str]:
    return [event.message_id for event in events]


class Wire:
    """A port that leads to a server, until it is cut; each cut breaks what goes through it."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._ends: list[socket.socket] = []
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection."""
        while self._ends:
            end = self._ends.pop()
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._there, timeout=10)
                far.settimeout(None)
                self.connections += 1
                self._ends += [near, far]
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=_carry, args=(a, b), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def a_wire(host: str, port: int) -> Iterator[Wire]:
    wire = Wire(host, port)
    try:
        yield wire
    finally:
        wire.close()


@contextmanager
def silence() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


class Posted:
    """An HTTP server that keeps what is posted to it. `answers` holds what it says next."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.connections = 0
        posted = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                posted.connections += 1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                posted.requests.append((self.path, headers, json.loads(body)))
                status, text = posted.answers.pop(0) if posted.answers else (200, b"")
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", "http://u:s3cret@elsewhere/")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.requests]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
