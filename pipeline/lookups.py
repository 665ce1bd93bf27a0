"""Lookups: `${env:NAME}` and `${file:PATH}` in an option, for what is not to be stored. Pure.

They stand for a whole value, or for a part of it: `Bearer ${env:TOKEN}`. What they stand for is
looked up when a target is made, is never stored, and is hidden like a secret; the lookup itself is
no secret. Anything else in `${…}` is left as it is; what is nearly a lookup, `${envv:NAME}`, is
found by `mistyped`, so that it is refused before it is stored as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

_LOOKUP: Final = re.compile(r"\$\{(?P<source>env|file):(?P<name>[^{}\s][^{}\n]*)\}")
_SOURCES: Final = ("env", "file")
_LIKE_LOOKUP: Final = re.compile(r"\$\{(?P<word>\w+):(?![-+=?])[^{}\s][^{}\n]*\}")
"""`${word:…}`, but not `${files:-none}` and its like, which are a shell's."""
_NEAR: Final = 0.75  # one letter more, less or another: `envv`, `fike`, but not `profile`


class Lookup(NamedTuple):
    """What is to be looked up: `source` is `env` or `file`, `name` the variable or the path."""

    source: str
    name: str

    def __str__(self) -> str:
        return f"${{{self.source}:{self.name}}}"


def is_lookup(value: Any) -> bool:
    """Whether a value is a lookup and nothing else, so that it may be shown."""
    return isinstance(value, str) and _LOOKUP.fullmatch(value) is not None


def has_lookup(value: Any) -> bool:
    """Whether there is a lookup anywhere in a value."""
    match value:
        case str():
            return _LOOKUP.search(value) is not None
        case Mapping():
            return any(map(has_lookup, value.values()))
        case list() | tuple():
            return any(map(has_lookup, value))
        case _:
            return False


def filled(value: Any, look_up: Callable[[Lookup], str]) -> Any:
    """The same value with every lookup in it replaced; what `look_up` raises goes through."""
    match value:
        case str():
            return _LOOKUP.sub(lambda found: look_up(Lookup(*found.groups())), value)
        case Mapping():
            return {name: filled(inner, look_up) for name, inner in value.items()}
        case list() | tuple():
            return [filled(inner, look_up) for inner in value]
        case _:
            return value


def mistyped(value: Any) -> str:
    """What is wrong with the first thing in a value that is nearly a lookup, `''` for nothing.

    Only its word is told: what stands behind it may be secret. Called before options are stored.
    """
    match value:
        case str():
            words = (found["word"] for found in _LIKE_LOOKUP.finditer(value))
            return next(filter(None, map(_meant, words)), "")
        case Mapping():
            return next(filter(None, map(mistyped, value.values())), "")
        case list() | tuple():
            return next(filter(None, map(mistyped, value)), "")
        case _:
            return ""


def _meant(word: str) -> str:
    if word in _SOURCES:
        return ""
    swapped = [source for source in _SOURCES if sorted(source) == sorted(word.lower())]
    near = swapped or get_close_matches(word.lower(), _SOURCES, n=1, cutoff=_NEAR)
    return f"${{{word}:…}} is no lookup. Did you mean '${{{near[0]}:…}}'?" if near else ""
