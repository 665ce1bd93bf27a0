"""What must not be stored, logged or sent on: passwords, tokens, service catalogues.

Senders before oslo.messaging 14.4 sent the request context whole, tokens included. Three ways to
be rid of them: contexts lose such keys before anything sees them (`is_secret`), values that
are kept lose what stands under such keys (`masked`), and bytes that cannot be decoded lose it as
far as it can be found (`scrub_head`). Errs on the side of masking too much.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import isfinite
from typing import Any

from pipeline.envelope.decoding import unpacked_as_far_as_possible

MASK = "***"

_SECRET_NAMES = frozenset(
    (
        "authorization", "auth_token_info", "aws_creds", "aws_credentials", "cookie",
        "ec2_credentials", "passphrase", "proxy_authorization", "service_catalog", "set_cookie",
        "token_info",
    )
)  # fmt: skip
_SECRET_ENDINGS = (
    "password", "passwd", "adminpass", "admin_pass", "token", "secret", "secret_key",
    "secret_access_key", "private_key", "privatekey", "api_key", "apikey",
)  # fmt: skip


@lru_cache(maxsize=4096)
def is_secret(key: str) -> bool:
    """Whether what stands under this key is a secret, in any of the usual spellings."""
    name = key.lower().replace("-", "_").removeprefix("_context_").removeprefix("http_")
    return name in _SECRET_NAMES or name.endswith(_SECRET_ENDINGS)


def masked(value: Any) -> Any:
    """The same JSON value with every secret as `***`; also NaN and Infinity as text, because
    strict readers of what is stored would choke on the bare words.
    """
    if isinstance(value, dict):
        return {
            key: MASK if is_secret(key) and inner not in (None, "", False) else masked(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value


# --- bytes that may not be JSON --------------------------------------------------------------

# JSON inside a JSON string has its quotes escaped, and again at each further level: a quote that
# begins or ends a string of level n has 2^n - 1 backslashes (and 2^(n+1) more for each backslash
# that the string itself ends with). So the level is the number of trailing zeros of the count + 1.
_QUOTE = re.compile(rb'(?<!\\)(\\*+)"')
_MARK = re.compile(rb'(?<!\\)(\\*+)"|[\[\]{}]')
_KEY = re.compile(rb'(?<!\\)(\\*+)"([A-Za-z0-9_.-]{1,64}+)(\\*+)"[ \t\r\n]*+:[ \t\r\n]*+')
_SCALAR = re.compile(rb"[A-Za-z0-9+.-]*+")


def scrub_head(body: bytes, size: int) -> tuple[bytes, bool]:
    """The body's first `size` bytes, with every secret that can be found in them as `***`, be they
    JSON or not; and whether the body has more.

    Finds keys at any depth of JSON inside JSON strings. A compressed body comes out unpacked, as
    far as that goes, because its secrets can be masked in no other way; as a few bytes may be made
    to unpack to many, it is cut before it is searched. One of which nothing unpacks, or which only
    begins like a compressed one, stays as it came.
    """
    text = unpacked_as_far_as_possible(body) or body
    return _scrubbed(text[:size]), len(text) > size


def _scrubbed(text: bytes) -> bytes:
    kept = bytearray()
    done = 0
    for key in _KEY.finditer(text):
        if key.start() < done or key[1] != key[3] or not is_secret(key[2].decode()):
            continue
        end = _end_of_value(text, key.end(), len(key[1]))
        kept += text[done : key.end()] + key[1] + b'"' + MASK.encode() + key[1] + b'"'
        done = end
    return bytes(kept + text[done:])


def _end_of_value(text: bytes, start: int, backslashes: int) -> int:
    """Where the value at `start` ends, as near as broken text lets one say."""
    level = _level(backslashes)
    opening = _QUOTE.match(text, start)
    if opening and _level(len(opening[1])) == level:
        return _end_of_string(text, opening.end(), level)
    if text[start : start + 1] in (b"[", b"{"):
        return _end_of_nest(text, start, level)
    scalar = _SCALAR.match(text, start)
    return scalar.end() if scalar else start


def _end_of_string(text: bytes, start: int, level: int) -> int:
    """Behind the quote that ends the string, or before one that ends a string around it."""
    for quote in _QUOTE.finditer(text, start):
        found = _level(len(quote[1]))
        if found <= level:
            return quote.end() if found == level else quote.start()
    return len(text)


def _end_of_nest(text: bytes, start: int, level: int) -> int:
    """Behind the bracket that closes the one at `start`; the end of the text if none does."""
    depth, position = 0, start
    while mark := _MARK.search(text, position):
        position = mark.end()
        if mark[0].endswith(b'"'):
            if _level(len(mark[1])) < level:
                return mark.start()
            position = _end_of_string(text, position, level)
        else:
            depth += 1 if mark[0] in b"[{" else -1
            if depth == 0:
                return position
    return len(text)


def _level(backslashes: int) -> int:
    return ((backslashes + 1) & -(backslashes + 1)).bit_length() - 1
