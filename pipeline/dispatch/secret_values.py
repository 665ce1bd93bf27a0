"""The secrets of a target as they are changed: `***` stands for the value that is kept. Pure.

A secret is a text, or several by name: `{api-key: …}`. One that is named without a value stays as
it is (notifications 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import InvalidValue
from pipeline.lookups import is_lookup
from pipeline.masking import MASK

_NAME, _VALUE = "name", "value"


def by_name(given: Any, separator: str = "=") -> Any:
    """Secrets by name, in whichever way they were written: a mapping, or a list of
    `{name: …, value: …}` or of `name=value`; what is none of these, as it is."""
    items = given if isinstance(given, (list, tuple)) else [given]
    if isinstance(given, Mapping) or not all(map(_is_named, items)):
        return given
    return dict(_pair(item, separator) for item in items)


def kept_where_empty(secret: Any) -> Any:
    """A secret as it was given, with `***` for each value that was not."""
    if isinstance(secret, Mapping):
        return {name: kept_where_empty(value) for name, value in secret.items()}
    return MASK if secret is None else secret


def has_kept(secret: Any) -> bool:
    """Whether any value in it is one that is kept."""
    if isinstance(secret, Mapping):
        return any(map(has_kept, secret.values()))
    return bool(secret == MASK)


def shown(secret: Any) -> Any:
    """The same with `***` in place of every value; names stay, and so do lookups, which are no
    secrets themselves."""
    if isinstance(secret, Mapping):
        return {name: shown(value) for name, value in secret.items()}
    return secret if is_lookup(secret) else MASK


def merged(name: str, kept: Any, given: Any) -> Any:
    """A secret as it is to be kept: what was given, and for each `***` in it what is kept.

    Raises `InvalidValue` where nothing is kept.
    """
    if isinstance(given, Mapping):
        known = kept if isinstance(kept, Mapping) else {}
        return {k: merged(f"{name} {k}", known.get(k), v) for k, v in given.items()}
    if given != MASK:
        return given
    if isinstance(kept, str):
        return kept
    raise InvalidValue(f"the secret {name} has no value yet. Give it one.", name)


def _is_named(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, Mapping) and _NAME in item)


def _pair(item: Any, separator: str) -> tuple[Any, Any]:
    """A name and its value; None for a name alone."""
    if isinstance(item, Mapping):
        return item[_NAME], item.get(_VALUE)
    name, found, value = item.partition(separator)
    return name.strip(), value.strip() if found else None
