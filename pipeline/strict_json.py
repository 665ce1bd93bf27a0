"""Strict JSON: values as JSON that every parser takes. Pure.

Used by the publishers and targets that send JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import orjson


def strict_json(value: Any) -> bytes:
    """The value in JSON that every parser takes: a number that JSON has not becomes null."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # An integer beyond 64 bits, or half of a surrogate pair: orjson refuses them.
        return json.dumps(_finite(value), default=str).encode("ascii")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
