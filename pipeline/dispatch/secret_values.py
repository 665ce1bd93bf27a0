"""The secrets of a target as they are changed: `***` stands for the value that is kept. Pure.

A secret is a text, or holds others by name: `{api-key: …}`, `[{name: api-key, value: …}]`. One
that is named without a value stays as it is (notifications 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import InvalidValue
from pipeline.masking import MASK

_NAME, _VALUE = "name", "value"


def kept_where_empty(secret: Any) -> Any:
    """A secret as it was given, with `***` for each value that was not."""
    match secret:
        case None:
            return MASK
        case Mapping():
            return {name: kept_where_empty(value) for name, value in secret.items()}
        case list() | tuple():
            return [_item(each) for each in secret]
        case _:
            return secret


def has_kept(secret: Any) -> bool:
    """Whether any value in it is one that is kept."""
    match secret:
        case Mapping():
            return any(map(has_kept, secret.values()))
        case list() | tuple():
            return any(map(has_kept, secret))
        case _:
            return bool(secret == MASK)


def shown(secret: Any) -> Any:
    """The same with `***` in place of every value; names stay."""
    match secret:
        case Mapping() if _is_item(secret):
            return {**secret, _VALUE: MASK}
        case Mapping():
            return {name: shown(value) for name, value in secret.items()}
        case list() | tuple():
            return [shown(each) for each in secret]
        case _:
            return MASK


def merged(name: str, kept: Any, given: Any) -> Any:
    """A secret as it is to be kept: what was given, and for each `***` in it what is kept.

    Raises `InvalidValue` where nothing is kept.
    """
    match given:
        case Mapping() if _is_item(given):
            value = merged(f"{name} {given[_NAME]}", _of(kept, _VALUE), given.get(_VALUE, MASK))
            return {**given, _VALUE: value}
        case Mapping():
            return {k: merged(f"{name} {k}", _of(kept, k), v) for k, v in given.items()}
        case list() | tuple():
            return [merged(name, _named(kept, each), each) for each in given]
    if given != MASK:
        return given
    if isinstance(kept, str):
        return kept
    raise InvalidValue(f"the secret {name} has no value yet. Give it one.", name)


def _item(each: Any) -> Any:
    if isinstance(each, Mapping) and _NAME in each:
        return {**each, _VALUE: kept_where_empty(each.get(_VALUE))}
    return kept_where_empty(each)


def _is_item(secret: Mapping[str, Any]) -> bool:
    return _NAME in secret and secret.keys() <= {_NAME, _VALUE}


def _of(kept: Any, name: str) -> Any:
    return kept.get(name) if isinstance(kept, Mapping) else None


def _named(kept: Any, item: Any) -> Any:
    """What is kept of a list under the same name."""
    if not (isinstance(kept, (list, tuple)) and isinstance(item, Mapping)):
        return None
    return next((each for each in kept if _of(each, _NAME) == item.get(_NAME)), None)
