"""A receiver that is faster than whatever is measured against it, and one that never answers.

One process, one thread, one selector: it reads requests off keep-alive connections, answers each
with an empty 200, and notes when the first and the last came and which `webhook-id`s it saw. Used
by `benchmarks.notifying` alone; knows just enough of HTTP for requests with a content-length.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_BACKLOG = 128


@dataclass(frozen=True)
class Taken:
    """What a receiver has taken so far; `first` and `last` are `time.monotonic()`."""

    requests: int
    deliveries: int
    first: float
    last: float


class FastReceiver:
    """What the process at `url` has taken, and starting it afresh."""

    def __init__(self, url: str, pipe: Connection) -> None:
        self.url, self._pipe = url, pipe

    def taken(self) -> Taken:
        """What it has taken since it was last asked."""
        self._pipe.send(None)
        taken: Taken = self._pipe.recv()
        return taken


@contextmanager
def fast_receiver() -> Iterator[FastReceiver]:
    """A fast receiver in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    listening = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    process = multiprocessing.Process(target=_serve, args=(listening, theirs), daemon=True)
    process.start()
    try:
        yield FastReceiver(f"http://127.0.0.1:{listening.getsockname()[1]}/hook", ours)
    finally:
        process.kill()
        process.join()
        listening.close()


@contextmanager
def hanging_receiver() -> Iterator[str]:
    """The URL of a receiver that accepts connections and never answers."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
    finally:
        listening.close()


def _serve(listening: socket.socket, pipe: Connection) -> None:
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    selector.register(pipe, selectors.EVENT_READ)
    unread: dict[socket.socket, bytes] = {}
    seen: list[bytes] = []
    first = last = 0.0
    while True:
        for key, _ in selector.select():
            if key.fileobj is listening:
                connection, _ = listening.accept()
                unread[connection] = b""
                selector.register(connection, selectors.EVENT_READ)
            elif key.fileobj is pipe:
                pipe.recv()
                pipe.send(Taken(len(seen), len(set(seen)), first, last))
                seen.clear()
            else:
                last = time.monotonic()
                first = first if seen else last
                if not _read(key.fileobj, unread, seen):  # type: ignore[arg-type]
                    selector.unregister(key.fileobj)


def _read(
    connection: socket.socket, unread: dict[socket.socket, bytes], seen: list[bytes]
) -> bool:
    """Answer every request that is there whole; whether the connection goes on."""
    with suppress(OSError):
        if data := connection.recv(1 << 18):
            data = unread[connection] + data
            while (end := _end_of_request(data)) is not None:
                connection.send(_OK)
                seen.append(_header(data[:end], b"webhook-id"))
                data = data[end:]
            unread[connection] = data
            return True
    connection.close()
    del unread[connection]
    return False


def _end_of_request(data: bytes) -> int | None:
    head_end = data.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    end = head_end + 4 + int(_header(data[: head_end + 2], b"content-length") or b"0")
    return end if len(data) >= end else None


def _header(head: bytes, name: bytes) -> bytes:
    at = head.lower().find(b"\r\n" + name + b":")
    return head[at + len(name) + 3 :].partition(b"\r\n")[0].strip() if at >= 0 else b""
