"""Guards of a target: how it is spared, as people write it (delivery 5, 8, 12).

    guards: {concurrency: 2, rate-limit: 10/1m, storm: 20/1m, retry-delays: [10, 5m, 2h]}

Pure. `pipeline.dispatch.entry_schema` checks what is written; the notifier reads it from the
entries in force, and goes by the settings for what a target leaves open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from marshmallow import ValidationError, fields, post_load
from marshmallow.validate import Range

from pipeline.errors import InvalidValue
from pipeline.strict_schema import StrictSchema

OFF: Final = "off"
_LIMIT = re.compile(r"(\d{1,6})\s*/\s*(\d{0,6})\s*([a-z]+)")
_UNITS: Final = {
    "s": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3_600,
    "hour": 3_600,
    "d": 86_400,
    "day": 86_400,
}
_LONGEST = timedelta(days=7)
_DELAY = re.compile(r"(\d{1,6})\s*([a-z]*)")
_MOST_DELAYS: Final = 50


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` in each `span`."""

    count: int
    span: timedelta

    def __str__(self) -> str:
        return f"{self.count} in {self.span.total_seconds():g} s"


@dataclass(frozen=True, slots=True)
class Guards:
    """What a target says of itself. None: as the settings say; `OFF`: without a limit."""

    concurrency: int | None = None
    rate: Limit | None = None
    storm: Limit | str | None = None
    retry_delays: tuple[timedelta, ...] | None = None


def limit_of(text: str) -> Limit:
    """The limit of a text such as `20/60s`, `10/minute`, `500/1h`. Raises `InvalidValue`."""
    found = _LIMIT.fullmatch(text.strip().lower())
    if found and found[3] in _UNITS:
        count, span = int(found[1]), timedelta(seconds=int(found[2] or 1) * _UNITS[found[3]])
        if count and timedelta() < span <= _LONGEST:
            return Limit(count, span)
    raise InvalidValue(
        f"{text!r} is no limit. Give how many in which time, at most 7 days: 20/60s, 10/minute,"
        " 500/1h."
    )


def storm_limit(text: str) -> Limit | None:
    """The same; None for `off` or nothing. Raises `InvalidValue`."""
    return None if text.strip().lower() in ("", OFF) else limit_of(text)


def guards_of(document: Mapping[str, Any]) -> Guards:
    """The guards of an entry, whose schema has checked them when it was written.

    What a later version wrote and this one does not know is passed over.
    """
    known = {name: value for name, value in document.items() if name in _NAMES}
    try:
        loaded: Guards = GuardsSchema().load(known)
    except ValidationError:
        return Guards()
    return loaded


class _LimitText(fields.String):
    """A limit, kept as the text that it was written as."""

    def __init__(self, *, may_be_off: bool = False) -> None:
        self._may_be_off = may_be_off
        said: dict[str, Any] = {"invalid": "Give how many in which time, such as 20/60s."}
        super().__init__(load_default=None, error_messages=said)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if self._may_be_off and value is False:  # YAML reads a bare `off` as that
            return OFF
        text = str(super()._deserialize(value, attr, data, **kwargs))
        if self._may_be_off and text.strip().lower() == OFF:
            return OFF
        try:
            return limit_of(text)
        except InvalidValue as error:
            raise ValidationError(str(error)) from error


class _Delays(fields.Field[tuple[timedelta, ...]]):
    """Delays in seconds or with a unit, `[10, 5m, 2h]`: a list, or a text with commas."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[timedelta, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)) or len(parts) > _MOST_DELAYS:
            raise ValidationError(f"Give a list of at most {_MOST_DELAYS} delays: [10, 5m, 2h].")
        return tuple(_delay(str(part).strip().lower()) for part in parts)


def _delay(text: str) -> timedelta:
    found = _DELAY.fullmatch(text)
    if found and (found[2] or "s") in _UNITS:
        delay = timedelta(seconds=int(found[1]) * _UNITS[found[2] or "s"])
        if delay <= _LONGEST:
            return delay
    raise ValidationError(f"{text!r} is no delay. Give seconds, or 30s, 5m, 2h, 1d; 7d at most.")


class GuardsSchema(StrictSchema):
    """What a target's `guards` may say."""

    concurrency = fields.Integer(load_default=None, validate=Range(min=1))
    rate = _LimitText()
    storm = _LimitText(may_be_off=True)
    retry_delays = _Delays(load_default=None, data_key="retry-delays")

    @post_load
    def _guards(self, data: dict[str, Any], **_: Any) -> Guards:
        return Guards(**data)


GuardsSchema._declared_fields["rate"].data_key = "rate-limit"
_NAMES: Final = frozenset({"concurrency", "rate-limit", "storm", "retry-delays"})
