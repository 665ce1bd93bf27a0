"""Signing: what proves to a receiver that a callback is ours, as Standard Webhooks asks for it.

https://github.com/standard-webhooks/standard-webhooks: HMAC-SHA256 of `id.timestamp.body` under
the secret's bytes, in base64, as `v1,…`; two while a secret is changed, parted by a blank. The
timestamp is the attempt's, so that a receiver can turn away what somebody recorded and sends
again. Pure. Called by the targets that sign.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from pipeline.errors import InvalidValue

_PREFIX: Final = "whsec_"
_SHORTEST, _LONGEST, _MOST_AT_ONCE = 24, 64, 2


def keys_of(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """The keys of secrets such as `whsec_<base64>`; a text may hold two, parted by a blank.

    Raises `InvalidValue`, without the secrets, for one that is none, be it empty, or more than
    two.
    """
    found = tuple(_key(secret) for text in secrets for secret in text.split() or [""])
    if len(found) > _MOST_AT_ONCE:
        raise InvalidValue("More than two signing secrets: the old and the new one are enough.")
    return found


def signature_headers(
    keys: Sequence[bytes], delivery_id: str, at: datetime, body: bytes
) -> Mapping[str, str]:
    """The headers that sign a body; none without keys."""
    if not keys:
        return {}
    timestamp = str(int(at.timestamp()))
    signed = b".".join((delivery_id.encode(), timestamp.encode(), body))
    return {
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in keys),
    }


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not (secret.startswith(_PREFIX) and _SHORTEST <= len(key) <= _LONGEST):
        raise InvalidValue(
            f"A signing secret is {_PREFIX} and {_SHORTEST} to {_LONGEST} bytes in base64."
            f' Make one with: echo "{_PREFIX}$(openssl rand -base64 32)"'
        )
    return key
