"""Criteria: which alarms, or lines of their history, are asked for; a tree of comparisons.

Two languages are read into it: expressions (`alarms.expressions`), as commands take them, and
Aodh's complex queries in JSON (`alarms.complex_query`). The store decides by it
(`pipeline.store.sql.criteria`), so both mean the same. Pure.

Text is compared by code point, times as moments, severities by their rank, and booleans only for
equality. A severity that does not exist equals none, and has no rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import iso8601
import re2

from pipeline.alarms.alarm import Severity
from pipeline.registry import one_of

SIGNS = ("=", "!=", "<", "<=", ">", ">=", "=~", "in")
"""What a comparison may be; the names that languages have for them lead to these."""

LARGEST = 500
"""How many comparisons, and values of `in`, a tree may have."""
DEEPEST = 50
"""How deep a tree may be."""
_LONGEST_PATTERN = 1_000
_SWITCH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field beside a value of its kind; for `in` a tuple of them, for `=~` RE2's pattern."""

    field: str
    sign: str
    value: Any


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part must hold."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the parts must hold."""

    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """The part must not hold."""

    part: Criterion


Criterion: TypeAlias = Comparison | AllOf | AnyOf | Negation
Fields: TypeAlias = Mapping[str, type]
"""The fields that can be asked for, with the kind of their values."""

ALARM_FIELDS: Fields = MappingProxyType(
    {
        "alarm_id": str,
        "name": str,
        "description": str,
        "type": str,
        "project_id": str,
        "user_id": str,
        "state": str,
        "state_reason": str,
        "severity": Severity,
        "enabled": bool,
        "repeat_actions": bool,
        "timestamp": datetime,
        "state_timestamp": datetime,
    }
)
HISTORY_FIELDS: Fields = MappingProxyType(
    {
        "event_id": str,
        "alarm_id": str,
        "type": str,
        "detail": str,
        "project_id": str,
        "user_id": str,
        "on_behalf_of": str,
        "severity": Severity,
        "timestamp": datetime,
    }
)
FIELD_ALIASES: Mapping[str, str] = MappingProxyType({"project": "project_id", "user": "user_id"})


def all_of(parts: Sequence[Criterion | None]) -> Criterion | None:
    """What must hold for all that are not None to hold; None for nothing."""
    found = tuple(part for part in parts if part is not None)
    return found[0] if len(found) == 1 else AllOf(found) if found else None


def among(field: str, values: Sequence[str]) -> Comparison:
    """A text field has one of these values."""
    return Comparison(field, "in", tuple(values))


def comparison(kind: type, field: str, sign: str, value: Any, *, strict: bool) -> Comparison:
    """A comparison, of a value that is text, a number, a boolean, or for `in` a list of them.

    `strict`: a severity must be one. Raises `ValueError` where the value does not fit the field,
    or the sign.
    """
    if sign == "=~":
        return Comparison(field, sign, _pattern(kind, value))
    if sign == "in":
        if not isinstance(value, list):
            raise ValueError("in needs a list: [one, two]")
        return Comparison(field, sign, tuple(_converted(kind, one, strict) for one in value))
    if kind is bool and sign not in ("=", "!="):
        raise ValueError(f"{field} is true or false, and goes with = and != only")
    ordered = sign not in ("=", "!=")
    return Comparison(field, sign, _converted(kind, value, strict or ordered))


def moment(value: Any) -> datetime:
    """The time in an ISO 8601 text; UTC where it names no zone. Raises `ValueError`."""
    try:
        return iso8601.parse_date(value).astimezone(UTC)
    except (iso8601.ParseError, OverflowError, TypeError) as error:
        raise ValueError(f"expected a time as 2026-01-02T12:00:00Z, not {value!r}") from error


def switch(value: Any) -> bool:
    """True or false, however it is spelled. Raises `ValueError`."""
    spelled = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if spelled.lower() not in _SWITCH:
        raise ValueError(f"expected true or false, not {value!r}")
    return _SWITCH[spelled.lower()]


def matcher(pattern: str) -> Any:
    """RE2's compiled pattern, of which `search` takes time that grows with the text alone.

    Raises `ValueError` for what is none.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if isinstance(error, re2.error) else str(error)
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"no regular expression: {reason}") from error


def _pattern(kind: type, value: Any) -> str:
    if kind in (bool, datetime) or not isinstance(value, (str, int, float)):
        raise ValueError("=~ goes with text")
    text = _text(value)
    if len(text) > _LONGEST_PATTERN:
        raise ValueError(f"a regular expression has at most {_LONGEST_PATTERN} characters")
    matcher(text)
    return text


def _converted(kind: type, value: Any, strict: bool) -> Any:
    if isinstance(value, list):
        raise ValueError("a list goes with the operator in")
    if not isinstance(value, (str, int, float)):
        raise ValueError("expected a text, a number or a boolean")
    if kind is bool:
        return switch(value)
    if kind is datetime:
        return moment(value)
    text = _text(value)
    if kind is Severity and strict and text not in list(Severity):
        raise ValueError(f"unknown severity {text!r}. {one_of(text, list(Severity))}")
    return text


def _text(value: Any) -> str:
    """The value as it would be written: 5 for 5.0, as clients make numbers of all that is one."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool) or not isinstance(value, str):
        return str(value).lower()
    return value
