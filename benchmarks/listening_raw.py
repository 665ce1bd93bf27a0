"""How fast the broker could go: a socket, AMQP frames parsed, an acknowledgement every hundredth.

It decodes no method, header or body; what it looks at of a frame is its type and length, and of a
delivery its tag. So it is no consumer that anybody could use: it is the broker's own speed beside
what a client in Python adds to it. Run by `benchmarks.listening` as a process of its own.

    python -m benchmarks.listening_raw QUEUE MESSAGES
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

import pika
from pika import frame, spec

from benchmarks.listening_queue import ACK_EVERY, PREFETCH, URL

_HEAD = struct.Struct(">BHI")
_TAG = struct.Struct(">Q")
_SMALLEST_BYTES = 8
_DELIVER = struct.pack(">HH", 60, 60)
_READ_BYTES = 256 * 1024
_TIMEOUT_SECONDS = 60


def main() -> None:
    """Drain the queue and end."""
    queue, count = sys.argv[1], int(sys.argv[2])
    parameters = pika.URLParameters(URL)
    address = (parameters.host, parameters.port)
    with socket.create_connection(address, timeout=_TIMEOUT_SECONDS) as connection:
        _Reader(connection).run(parameters, queue, count)


class _Reader:
    """One connection with one channel."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._payloads = _method_payloads(connection)

    def run(self, parameters: Any, queue: str, count: int) -> None:
        self._open(parameters)
        self._send(1, spec.Basic.Consume(queue=queue))
        received = 0
        for payload in self._payloads:
            if payload[:4] != _DELIVER:
                continue
            received += 1
            if received % ACK_EVERY == 0 or received == count:
                # The tag stands behind the class, the method and the consumer's name.
                (tag,) = _TAG.unpack_from(payload, 5 + payload[4])
                self._send(1, spec.Basic.Ack(tag, multiple=True))
            if received == count:
                break
        # The answer comes when everything before it is acknowledged.
        self._call(1, spec.Basic.Qos(prefetch_count=PREFETCH))

    def _open(self, parameters: Any) -> None:
        self._socket.sendall(frame.ProtocolHeader().marshal())
        next(self._payloads)
        user = parameters.credentials
        login = f"\0{user.username}\0{user.password}"
        self._call(0, spec.Connection.StartOk({}, "PLAIN", login, "en_US"))
        self._send(0, spec.Connection.TuneOk(channel_max=1, frame_max=131072, heartbeat=0))
        self._call(0, spec.Connection.Open(parameters.virtual_host))
        self._call(1, spec.Channel.Open())
        self._call(1, spec.Basic.Qos(prefetch_count=PREFETCH))

    def _call(self, channel: int, method: Any) -> None:
        """Send, and wait for the answer. Not while messages may come."""
        self._send(channel, method)
        next(self._payloads)

    def _send(self, channel: int, method: Any) -> None:
        self._socket.sendall(frame.Method(channel, method).marshal())


def _method_payloads(connection: socket.socket) -> Iterator[bytes]:
    """What stands in each frame of the kind `method`; the others are passed over."""
    buffer, at = b"", 0
    while True:
        while len(buffer) - at >= _SMALLEST_BYTES:
            kind, _, size = _HEAD.unpack_from(buffer, at)
            end = at + _HEAD.size + size + 1
            if end > len(buffer):
                break
            if kind == spec.FRAME_METHOD:
                yield buffer[at + _HEAD.size : end - 1]
            at = end
        read = connection.recv(_READ_BYTES)
        if not read:
            raise ConnectionError("the broker closed the connection")
        buffer, at = buffer[at:] + read, 0


if __name__ == "__main__":
    main()
