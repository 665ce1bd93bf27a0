"""Names → classes, by entry point, so that others can add plugins; and the "Did you mean".

Groups: `tocsin.publishers` and `tocsin.actions` (by URL scheme), `tocsin.targets`,
`tocsin.other_actions` and `tocsin.trait_plugins` (by name). Tocsin's own plugins are entries in
setup.cfg like everybody else's.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pipeline.errors import InvalidValue


def find(group: str, name: str) -> Any:
    """The object that the plugin `name` of `group` names. Raises `InvalidValue` for an unknown."""
    known = _plugins(group)
    if name not in known:
        raise InvalidValue(f"unknown {_kind(group)} {name!r}. {one_of(name, known)}")
    return _loaded(known[name])


def names(group: str) -> list[str]:
    """The names of all plugins of a group, sorted."""
    return sorted(_plugins(group))


def one_of(word: str, known: Iterable[str]) -> str:
    """`Use one of a, b, c. Did you mean 'b'?` — the tail of a message about an unknown word."""
    known = list(known)
    return f"Use one of {', '.join(known)}.{did_you_mean(word, known)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'text'?` with the nearest known word, or `''` when none is near."""
    near = get_close_matches(str(word), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


@cache
def _plugins(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=group))}


@cache
def _loaded(entry: EntryPoint) -> Any:
    """Loading looks the module up each time; a plugin is asked for with every delivery."""
    return entry.load()


def _kind(group: str) -> str:
    return group.removeprefix("tocsin.").removesuffix("s").replace("_", " ")
