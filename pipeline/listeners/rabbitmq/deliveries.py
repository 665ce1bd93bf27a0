"""Deliveries, read straight off the connection's bytes; everything else is pika's.

A delivery is three frames or more, and pika makes objects and calls of each. With a worker that
does nothing, `benchmarks.listening_peers` measured 16 µs of CPU a message that way, 6 with this.
Properties, exchange and routing key, the same for thousands of messages, are decoded once and
remembered (the properties by pika). All other frames, whatever channel they are on, go to pika
unchanged and in their order.

pika has no door for this: `read_deliveries` names every part of its inside that is used. Where a
pika lacks one of them, it delivers by its own callback as ever. Called by the consumer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from pika.exceptions import BodyTooLongError
from pika.spec import FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD, BasicProperties

_HEAD, _TAG, _BODY_SIZE = Struct(">BHI"), Struct(">Q"), Struct(">Q")
_HEAD_BYTES = _HEAD.size
_AROUND = _HEAD_BYTES + 1
"""What a frame has besides its payload: the head, and the octet that ends it."""
_DELIVER = b"\x00\x3c\x00\x3c"
_BEFORE_PROPERTIES = 12
_READ_BYTES = 128 * 1024
_LONGEST_REMEMBERED = 256
_USED = ("_on_data_available", "_frame_buffer", "_transport", "bytes_received")


class Properties(NamedTuple):
    """What a message's properties say that matters here. Shared between messages: only read it."""

    content_type: str | None
    headers: Mapping[str, Any] | None


class Delivery(NamedTuple):
    """One message as the broker delivered it. `route` is (exchange, routing key)."""

    tag: int
    route: tuple[str, str]
    properties: Properties
    body: bytes


class DeliveryReader:
    """Bytes of one connection in; the deliveries on one channel to `take`, the rest to `pass_on`.

    Both are called in the order of the bytes, `pass_on` with whole frames. What a broker may not
    send is passed on as well: pika refuses it.
    """

    def __init__(
        self,
        channel: int,
        take: Callable[[Delivery], None],
        pass_on: Callable[[bytes], None],
        begun: bytes = b"",
    ) -> None:
        self._channel, self._take, self._pass_on = channel, take, pass_on
        self._rest = begun
        self._method: bytes | None = None
        self._properties = Properties(None, None)
        self._body: list[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> int:
        """Take these bytes in; how many of them and of earlier ones were deliveries' frames."""
        buffer = self._rest + data if self._rest else data
        at, end, taken = 0, len(buffer), 0
        while end - at >= _AROUND:
            kind, channel, size = _HEAD.unpack_from(buffer, at)
            after = at + size + _AROUND
            if after > end:
                break
            if channel == self._channel and buffer[after - 1] == FRAME_END:
                own = self._frame(kind, buffer[at + _HEAD_BYTES : after - 1])
            else:
                own = False
            if own:
                taken += after - at
            else:
                self._pass_on(buffer[at:after])
            at = after
        self._rest = buffer[at:]
        return taken

    def _frame(self, kind: int, payload: bytes) -> bool:
        """Take in a frame of the channel; whether it is of a delivery."""
        if kind == FRAME_METHOD:
            if payload[:4] != _DELIVER:
                return False
            self._method = payload
        elif self._method is None:
            return False
        elif kind == FRAME_HEADER:
            self._properties = _properties(payload[_BEFORE_PROPERTIES:])
            (self._missing,) = _BODY_SIZE.unpack_from(payload, 4)
            if not self._missing:
                self._complete(b"")
        elif kind == FRAME_BODY:
            self._add(payload)
        return True

    def _add(self, fragment: bytes) -> None:
        self._missing -= len(fragment)
        if self._missing < 0:
            raise BodyTooLongError(len(fragment), len(fragment) + self._missing)
        if self._missing:
            self._body.append(fragment)
        elif self._body:
            whole = b"".join([*self._body, fragment])
            self._body.clear()
            self._complete(whole)
        else:
            self._complete(fragment)

    def _complete(self, body: bytes) -> None:
        method, self._method = self._method or b"", None
        # Class and method, the consumer's name with its length, the tag, `redelivered`, the route.
        tag_at = 5 + method[4]
        (tag,) = _TAG.unpack_from(method, tag_at)
        self._take(Delivery(tag, _route(method[tag_at + 9 :]), self._properties, body))


def read_deliveries(connection: Any, channel: Any, take: Callable[[Delivery], None]) -> bool:
    """Have the deliveries on a channel of a `BlockingConnection` go to `take`.

    Before anything is consumed. False where this pika's inside is another: its callbacks go on.
    """
    inside, wake = connection._impl, getattr(connection, "_request_channel_dispatch", None)
    if wake is None or not all(hasattr(inside, name) for name in _USED):
        return False
    number = channel.channel_number
    begun, inside._frame_buffer = inside._frame_buffer, b""
    reader = DeliveryReader(number, take, inside._on_data_available, begun)

    def on_data(data: bytes) -> None:
        taken = reader.feed(data)
        if taken:
            # Its heartbeats count them; and so a call that waits for the broker returns.
            inside.bytes_received += taken
            wake(-number)

    inside._on_data_available = on_data
    # For a message or two at a time, which pika reads by itself, a call each costs much.
    inside._transport._MAX_RECV_BYTES = _READ_BYTES
    return True


def properties_of(decoded: Any) -> Properties:
    """What matters of properties that pika has decoded."""
    content_type = decoded.content_type
    if content_type.__class__ is bytes:  # so pika leaves what is not UTF-8
        content_type = content_type.decode("utf-8", "replace")
    return Properties(content_type, decoded.headers or None)


def _properties(encoded: bytes) -> Properties:
    remembered = len(encoded) <= _LONGEST_REMEMBERED
    return _known_properties(encoded) if remembered else _decoded(encoded)


def _decoded(encoded: bytes) -> Properties:
    return properties_of(BasicProperties().decode(encoded))


_known_properties = lru_cache(maxsize=1024)(_decoded)


@lru_cache(maxsize=1024)
def _route(encoded: bytes) -> tuple[str, str]:
    """Exchange and routing key, each behind its length."""
    key_at = 1 + encoded[0]
    exchange, key = encoded[1:key_at], encoded[key_at + 1 :]
    return exchange.decode("utf-8", "replace"), key.decode("utf-8", "replace")
