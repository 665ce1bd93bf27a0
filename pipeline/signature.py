"""`message_signature`: what proves to a receiver that an event comes from who knows the secret.

Ceilometer's algorithm (its `publisher.telemetry_secret`), to the byte, so that what checks its
messages can check ours: HMAC-SHA256 over every key and value, keys sorted, a mapping inside
flattened to `outer:inner`, and a list written as Python writes one whose texts are UTF-8 bytes.
Pure. Called by the publishers that sign, and by `normalise` for events from elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

SIGNATURE = "message_signature"


def signature(message: Mapping[str, Any], secret: str) -> str:
    """In hexadecimal; `''` without a secret. A signature that is there is not signed."""
    if not secret:
        return ""
    digest = hmac.new(_encoded(secret), digestmod=hashlib.sha256)
    for name, value in _flattened(message):
        if name != SIGNATURE:
            digest.update(_encoded(name))
            digest.update(_encoded(str(value)))
    return digest.hexdigest()


def signed(message: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """The message with its signature; without a secret that is an empty text."""
    return {**message, SIGNATURE: signature(message, secret)}


def is_signed(message: Mapping[str, Any], secret: str) -> bool:
    """Whether its signature proves that the sender knows the secret; true without a secret."""
    given = message.get(SIGNATURE)
    if not secret:
        return True
    return isinstance(given, str) and hmac.compare_digest(
        _encoded(given), _encoded(signature(message, secret))
    )


def _flattened(message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(message.items()):
        if isinstance(value, Mapping):
            for inner, inner_value in _flattened(value):
                yield f"{name}:{inner}", inner_value
        elif isinstance(value, (list, tuple)):
            yield name, _in_bytes(value)
        else:
            yield name, value


def _in_bytes(value: Any) -> Any:
    """The value as Ceilometer writes it inside a list: texts as bytes, mappings in key order."""
    if isinstance(value, Mapping):
        return {_in_bytes(key): _in_bytes(item) for key, item in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [_in_bytes(item) for item in value]
    return _encoded(value) if isinstance(value, str) else value


def _encoded(text: str) -> bytes:
    # A lone surrogate, which JSON can hold, stops Ceilometer; here it is signed like any other.
    return text.encode("utf-8", "surrogatepass")
