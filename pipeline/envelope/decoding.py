"""Bytes → JSON values, the way real senders write them.

Compressed bodies are told by their first bytes, because the header lies: kombu's
`application/x-gzip` is a zlib stream. JSON is read by orjson; the standard library reads what
orjson refuses (NaN, Infinity, lone surrogates) or gets wrong without a word (integers beyond 64
bits become floats). Text comes out *storable*: U+0000 and lone surrogates, which no database
takes, have become U+FFFD, throughout. Called by `pipeline.envelope` only; raises `Unreadable`.
"""

from __future__ import annotations

import bz2
import json
import lzma
import re
import zlib
from collections.abc import Callable
from typing import Any, NoReturn

import orjson

UNPACKED_LIMIT_BYTES = 64 * 1024 * 1024
"""A compressed body that grows beyond this is rejected: it may be made to fill the memory."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_ESCAPED_NUL = b"\\u0000"
_DIGITS_ONLY = bytes(ord("0") if ord("0") <= byte <= ord("9") else ord(" ") for byte in range(256))
_LONG_NUMBER = b"0" * 19


class Unreadable(Exception):
    """A body that cannot be read, and why. Never leaves `pipeline.envelope`."""


# --- JSON ------------------------------------------------------------------------------------


def read_json(text: bytes) -> Any:
    """The value that a JSON text holds, exact to the last digit and with storable text only."""
    value = read_json_roughly(text)
    return read_json_exactly(text) if is_delicate(text) else value


def read_json_roughly(text: bytes) -> Any:
    """The value, where integers beyond 64 bits may be floats and U+0000 may stand in text."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return read_json_exactly(text)


def read_json_exactly(text: bytes) -> Any:
    """The value as the standard library reads it, several times as slow."""
    try:
        return storable(json.loads(text.decode("utf-8-sig", "surrogatepass")))
    except RecursionError:
        raise Unreadable("The JSON is nested too deeply.") from None
    except ValueError as error:
        raise Unreadable(f"The body is not JSON: {error}.") from error


def is_delicate(text: bytes) -> bool:
    """Whether orjson would get a number wrong, or let U+0000 through."""
    if _LONG_NUMBER in text.translate(_DIGITS_ONLY):
        return True
    # One character is found much faster than six, and most texts have no escapes at all.
    return b"\\" in text and _ESCAPED_NUL in text


def storable(value: Any) -> Any:
    """The same JSON value, with U+FFFD for each character that a database cannot take."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(key): storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    return value


def storable_text(text: str) -> str:
    """The same text, with U+FFFD for U+0000 and for lone surrogates."""
    return _UNSTORABLE.sub("\ufffd", text)


# --- compression -----------------------------------------------------------------------------

_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_UNPACKERS: tuple[tuple[bytes, str, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", "gzip", lambda: zlib.decompressobj(wbits=31)),
    (b"x", "zlib", zlib.decompressobj),
    (b"BZh", "bzip2", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", "xz", lambda: lzma.LZMADecompressor(memlimit=UNPACKED_LIMIT_BYTES)),
)


def unpacked(body: bytes) -> bytes:
    """The body without its compression, if it has any."""
    return _unpack(body, _refuse)


def unpacked_as_far_as_possible(body: bytes) -> bytes:
    """What can be had of a compressed body that may be broken or without end."""
    return _unpack(body, lambda _reason: None)


def _unpack(body: bytes, complain: Callable[[str], None]) -> bytes:
    for magic, name, unpacker in _UNPACKERS:
        if body.startswith(magic):
            return _inflate(body, name, unpacker(), complain)
    if body.startswith(_ZSTANDARD):
        complain("The body is compressed with zstd, which is not read here. Use gzip or bzip2.")
    return body


def _inflate(body: bytes, name: str, unpacker: Any, complain: Callable[[str], None]) -> bytes:
    text = bytearray()
    try:
        # In steps, so that what precedes an error is not lost.
        for start in range(0, len(body), 65536):
            text += unpacker.decompress(
                body[start : start + 65536], UNPACKED_LIMIT_BYTES + 1 - len(text)
            )
            if len(text) > UNPACKED_LIMIT_BYTES:
                complain(f"The body is {name} that unpacks to over {UNPACKED_LIMIT_BYTES} bytes.")
                break
            if unpacker.eof:
                break
        else:
            complain(f"The body is {name} that ends too early.")
    except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        complain(f"The body looks like {name} but does not unpack: {error}.")
    return bytes(text)


def _refuse(reason: str) -> NoReturn:
    raise Unreadable(reason)
