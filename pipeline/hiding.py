"""Hiding: secrets whose values are known, wherever and however spelled they come back.

`pipeline.masking` masks what looks like a secret; here it is known what is one. Receivers repeat
what they were sent: as it was, as a URL or JSON or HTML spells it, or in base64. Pure. Used by the
targets, for what a receiver answered and for what went wrong.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final
from urllib.parse import quote, quote_plus

from pipeline.masking import MASK

_SHORTEST: Final = 4
_SHORTEST_IN_BASE64: Final = 8


def spellings(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every spelling of the secrets, longest first. What is shorter than 4 characters is none: to
    hide it would hide everything."""
    found = {spelled for secret in secrets for spelled in _spelled(secret)}
    return tuple(sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True))


def hidden(text: str, spelled: Iterable[str]) -> str:
    """The text with `***` in place of each of the spellings."""
    for secret in spelled:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def _spelled(secret: str) -> Iterator[str]:
    yield secret
    if len(secret) < _SHORTEST:
        return
    yield from secret.splitlines()
    for quoted in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        yield from (quoted, quoted.lower())
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    yield repr(secret)[1:-1]
    yield escape(secret)
    yield escape(secret, quote=False)
    if len(secret) >= _SHORTEST_IN_BASE64:
        yield from _in_base64(secret.encode("utf-8", "surrogatepass"))


def _in_base64(secret: bytes) -> Iterator[str]:
    """What of it always stands in base64, wherever in a text the secret begins: `user:secret`."""
    for before, touched in ((0, 0), (1, 2), (2, 3)):
        whole = base64.b64encode(bytes(before) + secret)
        # The last group depends on what follows, unless it is full.
        end = len(whole) if (before + len(secret)) % 3 == 0 else len(whole) - 4
        part = whole[touched:end].decode()
        yield part
        yield part.replace("+", "-").replace("/", "_")
