"""Values in the words of people: sizes, time spans, moments, shares (notifications 16).

Each function takes any value and never fails: what it cannot read is written as it is. Pure;
called by templates and by what draws tables for them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SPANS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def human_bytes(value: Any) -> str:
    """A number of bytes: `17.5 GiB`."""
    size = _number(value)
    if size is None:
        return plain(value)
    index = 0
    while abs(size) >= 1_024 and index < len(_UNITS) - 1:
        size, index = size / 1_024, index + 1
    return f"{_short(size)} {_UNITS[index]}"


def duration(value: Any) -> str:
    """A number of seconds: `1h 30m`, `250ms`."""
    seconds = _number(value)
    if seconds is None:
        return plain(value)
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds < 1:
        return f"{sign}{round(seconds * 1_000)}ms" if seconds else "0s"
    left, parts = round(seconds), []
    for unit, length in _SPANS:
        if left >= length:
            parts.append(f"{left // length}{unit}")
            left %= length
    return sign + " ".join(parts)


def timestamp(value: Any) -> str:
    """A moment in UTC: `2026-03-01 22:00:00 UTC`. Seconds since 1970, or ISO 8601."""
    moment = _moment(value)
    return plain(value) if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def relative_percentage(value: Any) -> str:
    """A share of 1: `25.00%` of 0.25."""
    share = _number(value)
    return plain(value) if share is None else f"{share * 100:.2f}%"


def plain(value: Any) -> str:
    """Any value as a text: nothing of None, JSON of lists and objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        return as_json(value)
    return str(value)


def as_json(value: Any) -> str:
    """JSON in one line. What JSON does not know is written as text, and NaN as null."""
    return _dumped(value, None)


def pretty_json(value: Any) -> str:
    """JSON over several lines."""
    return _dumped(value, 2)


def url_encode(value: Any) -> str:
    """Fit for any part of a URL; `/` is encoded too."""
    return quote(plain(value).encode("utf-8", "replace"), safe="")


def json_escape(value: Any) -> str:
    """Fit to stand between the quotes of a JSON text."""
    return json.dumps(plain(value), ensure_ascii=False)[1:-1]


def label(value: Any) -> str:
    """A field's name for people: `Failing since` of `failing_since`."""
    words = plain(value).replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


RENDERERS: Mapping[str, Callable[[Any], str]] = {
    "human_bytes": human_bytes,
    "duration": duration,
    "timestamp": timestamp,
    "relative_percentage": relative_percentage,
    "json": as_json,
    "text": plain,
}
"""What a table's column may ask for."""


def _number(value: Any) -> float | None:
    """None for what is no finite number, or is too large for one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _moment(value: Any) -> datetime | None:
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
        number = _number(value)
        return None if number is None else datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _dumped(value: Any, indent: int | None) -> str:
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, ensure_ascii=False, default=str)
    except TypeError:
        return json.dumps(str(value), ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value
