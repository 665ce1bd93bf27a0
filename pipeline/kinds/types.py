"""The types that a notification's field may have: which values fit, and how a text is read.

Values are those of JSON. A text is what a person typed: `--field size=12GiB`. Pure; called by
`pipeline.kinds.kind`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from pipeline import words

_UNITS: Final = MappingProxyType(
    {"d": 86_400, "h": 3_600, "m": 60, "min": 60, "s": 1, "w": 604_800}
)
_PREFIXES: Final = " kmgtpe"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgtpe])(i?)b?|b)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FieldType:
    """One type. `read` makes the value of a text, or raises `ValueError`.

    `meaning` completes "expects …"; `example` is what a preview shows.
    """

    name: str
    meaning: str
    fits: Callable[[Any], bool]
    read: Callable[[str], Any]
    example: Any


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_moment(value: Any) -> bool:
    if not isinstance(value, str):
        return _is_number(value)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _read_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _read_switch(text: str) -> bool:
    known = words.truth(text)
    if known is None:
        raise ValueError(text)
    return known


def _read_moment(text: str) -> str | float:
    try:
        return _plain(_read_number(text))
    except ValueError:
        datetime.fromisoformat(text)
        return text


def _read_duration(text: str) -> float:
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        return _plain(_read_number(text))
    try:
        return _plain(sum(float(number) * _UNITS[unit.lower()] for number, unit in parts))
    except KeyError as error:
        raise ValueError(text) from error


def _read_size(text: str) -> float:
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    number, prefix, binary = found.groups()
    base = 1_024 if binary else 1_000
    return _plain(float(number) * base ** _PREFIXES.index((prefix or " ").lower()))


def _read_list(text: str) -> list[Any]:
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    found: list[Any] = json.loads(text)
    return found


def _read_object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(text)
    return found


def _plain(number: float) -> float:
    return int(number) if number.is_integer() else number


_ALL = (
    FieldType("text", "a text", lambda value: isinstance(value, str), str, "a text"),
    FieldType("integer", "a whole number", lambda value: type(value) is int, int, 3),
    FieldType("number", "a number", _is_number, _read_number, 1.5),
    FieldType("boolean", "true or false", lambda v: isinstance(v, bool), _read_switch, True),
    FieldType(
        "time",
        "a time (ISO 8601, or seconds since 1970)",
        _is_moment,
        _read_moment,
        "2026-03-01T22:00:00+00:00",
    ),
    FieldType("duration", "seconds, or a text like 1h 30m", _is_number, _read_duration, 5_400),
    FieldType("bytes", "a number of bytes, or a text like 12GiB", _is_number, _read_size, 2**34),
    FieldType(
        "list", "a list", lambda v: isinstance(v, (list, tuple)), _read_list, ["one", "two"]
    ),
    FieldType(
        "object",
        "an object (JSON)",
        lambda v: isinstance(v, Mapping),
        _read_object,
        {"name": "value"},
    ),
)

TYPES: Mapping[str, FieldType] = MappingProxyType({each.name: each for each in _ALL})
"""Every type by its name."""
