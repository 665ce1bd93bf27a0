"""Aodh's complex queries → criteria and an order (alarms 21).

    filter   {"and": [{"=": {"name": "a"}}, {"not": {"in": {"state": ["ok", "alarm"]}}}]}
    orderby  [{"timestamp": "desc"}, {"name": "asc"}]

Both are JSON in a text. Pure. Called by Aodh's API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.alarms import criteria
from pipeline.alarms.criteria import (
    DEEPEST,
    FIELD_ALIASES,
    LARGEST,
    AllOf,
    AnyOf,
    Criterion,
    Fields,
    Negation,
)
from pipeline.errors import InvalidValue
from pipeline.registry import one_of

Order = list[tuple[str, str]]

_SIGNS = {**{sign: sign for sign in criteria.SIGNS}, "=<": "<=", "=>": ">="}
_DIRECTIONS = ("asc", "desc")


def criterion(text: str, fields: Fields) -> Criterion:
    """What the filter asks for. Raises `InvalidValue`: "Filter expression not valid: …"."""
    reader = _Reader(fields)
    try:
        return reader.read(json.loads(text), 1)
    except (ValueError, RecursionError) as error:
        said = _reason(error)
        raise InvalidValue(f"Filter expression not valid: {said}", "filter") from error


def order(text: str, fields: Fields) -> Order:
    """The keys to sort by, each with its direction. Raises `InvalidValue`."""
    try:
        steps = json.loads(text)
        if not isinstance(steps, list):
            raise ValueError(f"{_shown(steps)} is not of type 'array'")
        return [_step(step, fields) for step in steps]
    except (ValueError, RecursionError) as error:
        said = _reason(error)
        raise InvalidValue(f"Order-by expression not valid: {said}", "orderby") from error


class _Reader:
    """One filter; counts how large it gets."""

    def __init__(self, fields: Fields) -> None:
        self._fields, self._size = fields, 0

    def read(self, node: Any, depth: int) -> Criterion:
        if depth > DEEPEST:
            raise ValueError(f"it has more than {DEEPEST} levels")
        name, inner = _only_pair(node)
        match name.lower():
            case "and" | "or" as word:
                if not isinstance(inner, list) or len(inner) < 2:
                    raise ValueError(f"{word} takes a list of two or more, not {_shown(inner)}")
                parts = tuple(self.read(part, depth + 1) for part in inner)
                return AllOf(parts) if word == "and" else AnyOf(parts)
            case "not":
                return Negation(self.read(inner, depth + 1))
            case word if sign := _SIGNS.get(word):
                return self._comparison(sign, inner)
            case _:
                known = one_of(name, ("and", "or", "not", *_SIGNS))
                raise ValueError(f"unknown operator {name!r}. {known}")

    def _comparison(self, sign: str, inner: Any) -> Criterion:
        name, value = _only_pair(inner)
        field = _field(name, self._fields)
        self._size += max(1, len(value)) if isinstance(value, list) else 1
        if self._size > LARGEST:
            raise ValueError(f"it has more than {LARGEST} comparisons and values")
        if value == []:
            raise ValueError("[] should be non-empty")
        kind = self._fields[field]
        if kind is datetime and sign != "in":
            _check_moment(value)
        return criteria.comparison(kind, field, sign, value, strict=False)


def _step(step: Any, fields: Fields) -> tuple[str, str]:
    name, direction = _only_pair(step)
    if not isinstance(direction, str) or direction.lower() not in _DIRECTIONS:
        raise ValueError(f"{_shown(direction)} is no direction. Use asc or desc.")
    return _field(name, fields), direction.lower()


def _field(name: str, fields: Fields) -> str:
    field = FIELD_ALIASES.get(name, name)
    if field not in fields:
        raise ValueError(f"no field is called {name!r}. {one_of(name, (*fields, *FIELD_ALIASES))}")
    return field


def _only_pair(node: Any) -> tuple[str, Any]:
    if not isinstance(node, Mapping):
        raise ValueError(f"{_shown(node)} is not valid; an object with one key is needed")
    if len(node) != 1:
        wrong = "should be non-empty" if not node else "has too many properties"
        raise ValueError(f"{_shown(node)} {wrong}")
    ((name, value),) = node.items()
    return name, value


def _check_moment(value: Any) -> None:
    """Raise `InvalidValue` as Aodh does for what is no time."""
    try:
        criteria.moment(value)
    except ValueError as error:
        message = f"Failed to parse the timestamp value {_shown(value)}"
        raise InvalidValue(message, "filter") from error


def _reason(error: ValueError | RecursionError) -> str:
    deep = isinstance(error, RecursionError)
    return f"it has more than {DEEPEST} levels" if deep else str(error)


def _shown(value: Any) -> str:
    """The start of it."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
