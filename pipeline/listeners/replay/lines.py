"""A file or pipe → its lines, unzipped where it is gzip, without ever waiting unheard.

Yields None whenever nothing came for a moment, so that the reader can look at the clock or stop.
It never judges a line. Used by `pipeline.listeners.replay`.
"""

from __future__ import annotations

import os
import select
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

_CHUNK_BYTES = 256 * 1024
_IDLE_MILLISECONDS = 200
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for: expect gzip's header and trailer
LONGEST_LINE_BYTES = 64 * 1024 * 1024


class Unreadable(Exception):
    """The rest of the source cannot be read; its text says why."""


def lines(descriptor: int, advanced: Callable[[int], None]) -> Iterator[bytes | None]:
    """The lines of an open file or pipe, without their ends; None when nothing has come.

    `advanced` is told of the bytes read. A line is cut at `LONGEST_LINE_BYTES`. Raises
    `Unreadable` where the source is damaged.
    """
    rest: bytes | None = b""
    for chunk in _unzipped(_chunks(descriptor, advanced)):
        if not chunk:
            yield None
            continue
        *whole, tail = chunk.split(b"\n")
        if whole:
            if rest is not None:
                yield rest + whole[0]
            yield from whole[1:]
            rest = b""
        if rest is not None:
            rest += tail
            if len(rest) > LONGEST_LINE_BYTES:
                yield rest[:LONGEST_LINE_BYTES]
                rest = None  # The remainder of the line is dropped.
    if rest:
        yield rest


def _chunks(descriptor: int, advanced: Callable[[int], None]) -> Iterator[bytes]:
    """What comes, as it comes; `b""` when nothing has come for a moment."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while True:
        if not poll.poll(_IDLE_MILLISECONDS):
            yield b""
            continue
        try:
            chunk = os.read(descriptor, _CHUNK_BYTES)
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error
        if not chunk:
            return
        advanced(len(chunk))
        yield chunk


def _unzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, or what they hold if they begin as gzip does."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(_GZIP):
            break
        if not chunk:
            yield b""
    if head.startswith(_GZIP):
        yield from _inflated(chain([head], chunks))
    elif head:
        yield head
        yield from chunks


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What gzip's members, one after the other, hold."""
    member = zlib.decompressobj(_GZIP_WINDOW)
    for chunk in chunks:
        if not chunk:
            yield b""
        while chunk:
            if member.eof:
                member = zlib.decompressobj(_GZIP_WINDOW)
            try:
                plain = member.decompress(chunk, _CHUNK_BYTES)
            except zlib.error as error:
                raise Unreadable(f"damaged gzip data ({error})") from error
            if plain:
                yield plain
            # Zeros between and after members are padding.
            chunk = member.unused_data.lstrip(b"\0") if member.eof else member.unconsumed_tail
    if not member.eof:
        raise Unreadable("gzip data that ends early")
