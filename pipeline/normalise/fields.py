"""A field path of event_definitions.yaml → what it finds in a notification's document.

Nearly all paths are plain: names and indexes, maybe with one split at the end. Those are read
here and looked up directly. The rest (filters, wildcards, arithmetic, `sub`, `sorted`, …) is
jsonpath-ng's, with the extensions that Ceilometer's definitions use (events-in 16). Called by
`definitions` when a file is loaded and, for what is not plain, by the code that `extraction`
generates.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from jsonpath_ng.ext.parser import parse as parse_query

from pipeline.errors import InvalidValue

# What jsonpath-ng lets out when a path meets values that it was not written for, such as `sub` a
# number or `sorted` numbers and texts.
MISFITS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Split(NamedTuple):
    """One piece of a text, as `` `split(separator, segment, max_split)` `` cuts it."""

    separator: str
    segment: int
    max_split: int

    def __call__(self, value: Any) -> str | None:
        """The piece, None if there is none or the value is not a text."""
        if not isinstance(value, str):
            return None
        pieces = value.split(self.separator, self.max_split)
        in_range = -len(pieces) <= self.segment < len(pieces)
        return pieces[self.segment] if in_range else None


@dataclass(frozen=True, slots=True)
class PlainField:
    """A way of names and list indexes to one value, of which `split` may take a piece."""

    steps: tuple[str | int, ...]
    split: Split | None = None

    def matches(self, document: Any) -> list[tuple[str, Any]]:
        """The value with its path, or nothing. Null is nothing."""
        value = document
        for step in self.steps:
            value = item(value, step)
        if self.split is None:
            return [] if value is None else [(self.path, value)]
        piece = self.split(value)
        # A piece is a new value, that stands nowhere in the document.
        return [] if piece is None else [("", piece)]

    def first(self, document: Any) -> Any:
        """The value, None if there is none."""
        return next((value for _, value in self.matches(document)), None)

    @property
    def path(self) -> str:
        """The path as plugins are given it: `payload.lst.[0].v`."""
        return ".".join(f"[{step}]" if isinstance(step, int) else step for step in self.steps)


@dataclass(frozen=True, slots=True)
class QueryField:
    """A path that jsonpath-ng searches for."""

    expression: Any

    def matches(self, document: Any) -> list[tuple[str, Any]]:
        """All values, each with its path. Null is nothing. Raises one of `MISFITS`."""
        found = self.expression.find(document)
        return [(_path_of(match), match.value) for match in found if match.value is not None]

    def first(self, document: Any) -> Any:
        """The first value, None if there is none. Raises one of `MISFITS`."""
        found = (match.value for match in self.expression.find(document))
        return next((value for value in found if value is not None), None)


Field: TypeAlias = PlainField | QueryField


def item(value: Any, step: str | int) -> Any:
    """What stands at a name of an object or an index of a list; None if nothing does."""
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, list) and -len(value) <= step < len(value):
        return value[step]
    return None


# --- reading paths ---------------------------------------------------------------------------

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_QUOTED = r"""'[^'\\*]+'|"[^"\\*]+\""""
_STEP = re.compile(rf"\.(?:({_NAME})|({_QUOTED}))|\[(?:({_NAME})|({_QUOTED})|(-?[0-9]+))\]")
_SPLIT = re.compile(r"\.`split\((?:([^\s'\",()`\\]+)|'([^'`\\]+)'), *(-?[0-9]+), *(-?[0-9]+)\)`")
_KEYWORDS = {"where", "wherenot"}


def parse(path: str) -> Field:
    """The field that a path names. Raises `InvalidValue` saying what is wrong with it."""
    plain = _plain(path.strip())
    if plain is not None:
        return plain
    try:
        with warnings.catch_warnings():
            # Of the forms that it means to drop, `[?key=word]` is Ceilometer's way to write it.
            warnings.simplefilter("ignore", DeprecationWarning)
            return QueryField(parse_query(path))
    except Exception as error:
        detail = (str(error) or type(error).__name__).rstrip(".! ")
        raise InvalidValue(
            f"{path!r} is not a field path: {detail}. Write names joined by dots, such as"
            " payload.initiator.id, and quote a name that has other characters than letters,"
            " digits, _ and -."
        ) from error


def _plain(path: str) -> PlainField | None:
    rest = path.removeprefix("$")
    if rest == path and not path.startswith("["):
        rest = f".{path}"
    steps: list[str | int] = []
    position = 0
    while found := _STEP.match(rest, position):
        name, quoted, bracketed, bracketed_quoted, index = found.groups()
        if (name or bracketed) in _KEYWORDS:
            return None
        text = name or bracketed or (quoted or bracketed_quoted or "")[1:-1]
        steps.append(int(index) if index else text)
        position = found.end()
    if not steps:
        return None
    if position == len(rest):
        return PlainField(tuple(steps))
    if cut := _SPLIT.fullmatch(rest, position):
        return PlainField(tuple(steps), Split(cut[1] or cut[2], int(cut[3]), int(cut[4])))
    return None


def _path_of(match: Any) -> str:
    steps: list[str] = []
    while match.context is not None:
        names = getattr(match.path, "fields", None)
        steps.append(str(match.path) if names is None else ",".join(names))
        match = match.context
    return ".".join(reversed(steps))
