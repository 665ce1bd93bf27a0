"""A receiver that notes when the callback for which event arrived; for `benchmarks.latency`.

A process of its own, so that publishing does not hold it up. Prints its port; at the end of its
standard input it prints what it noted, as JSON: {message_id: [seconds, …]} by CLOCK_MONOTONIC.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

_EVENT = re.compile(rb"Event <id=([^,]+),")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One connection, kept alive: requests with a Content-Length, each answered with 200."""

    def __init__(self, arrived: dict[str, list[float]]) -> None:
        self._arrived, self._buffer = arrived, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._buffer, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                return
            request, self._buffer = self._buffer[:size], self._buffer[size:]
            if event := _EVENT.search(request, end):
                self._arrived.setdefault(event[1].decode(), []).append(now)
            self._transport.write(_ANSWER)


async def _serve(arrived: dict[str, list[float]]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(arrived), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    noted: dict[str, list[float]] = {}
    asyncio.run(_serve(noted))
    print(json.dumps(noted))
