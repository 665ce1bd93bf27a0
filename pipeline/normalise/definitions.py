"""event_definitions.yaml → `Definitions`: which traits an event gets, by its type.

The grammar is Ceilometer's, whole (events-in 11 to 20), so that its files load unchanged. Keys
that it does not have are ignored as it does, unless they look like a slip of one that it has.
Compiled once when the file is loaded, by the composition root; read by the normaliser.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError

from pipeline.errors import ConfigError, Problem
from pipeline.event import TraitType
from pipeline.normalise.extraction import Values, extractor
from pipeline.normalise.grammar import DefinitionSchema, ParsedDefinition
from pipeline.normalise.traits import DEFAULT_TRAITS, Trait
from pipeline.yaml_source import Document

_REMEMBERED_TYPES = 10_000
_REMEMBERED_SHAPES = 1_000

Types = Mapping[str, TraitType]


class Definition:
    """One definition, compiled. `extract` gives the values of a document's traits."""

    def __init__(
        self,
        globs: Sequence[str],
        traits: Mapping[str, Trait],
        unconvertible: Counter[str],
        text_limit: int | None,
    ) -> None:
        included = [glob for glob in globs if not glob.startswith("!")]
        excluded = [glob[1:] for glob in globs if glob.startswith("!")]
        self._included = _one_pattern(included if included or not excluded else ["*"])
        self._excluded = _one_pattern(excluded)
        all_traits = {**DEFAULT_TRAITS, **traits}
        self._type_of = {name: trait.type for name, trait in all_traits.items()}
        self._types: dict[tuple[str, ...], Types] = {}
        self.extract = extractor(list(all_traits.values()), unconvertible, text_limit)

    def covers(self, event_type: str) -> bool:
        """Whether the definition is for this type: included and not excluded (events-in 12)."""
        return bool(self._included(event_type)) and not self._excluded(event_type)

    def types(self, values: Values) -> Types:
        """The types of these traits, in the same order. Shared by events with the same traits."""
        shape = tuple(values)
        types = self._types.get(shape)
        if types is None:
            if len(self._types) >= _REMEMBERED_SHAPES:
                self._types.clear()
            types = self._types[shape] = {name: self._type_of[name] for name in shape}
        return types


class Definitions:
    """All definitions of a file. `unconvertible` counts values that did not, by trait name."""

    def __init__(
        self, parsed: Iterable[ParsedDefinition] = (), *, text_limit: int | None = None
    ) -> None:
        self.unconvertible: Counter[str] = Counter()
        self._definitions = [
            Definition(each.globs, each.traits, self.unconvertible, text_limit) for each in parsed
        ]
        self._rest = Definition(["*"], {}, self.unconvertible, text_limit)
        self._found: dict[str, tuple[Definition, bool]] = {}

    def __len__(self) -> int:
        return len(self._definitions)

    def find(self, event_type: str) -> tuple[Definition, bool]:
        """The last definition that covers the type, and True (events-in 13).

        Where none does: the one with the default traits, and False.
        """
        found = self._found.get(event_type)
        if found is None:
            if len(self._found) >= _REMEMBERED_TYPES:
                self._found.clear()
            found = self._found[event_type] = self._search(event_type)
        return found

    def _search(self, event_type: str) -> tuple[Definition, bool]:
        for definition in reversed(self._definitions):
            if definition.covers(event_type):
                return definition, True
        return self._rest, False


def compiled(document: Document, *, text_limit: int | None = None) -> Definitions:
    """The definitions that a file holds. Raises `ConfigError` with all that is wrong with it."""
    if not isinstance(document.value, list):
        message = "is not a list of definitions. Write `- event_type: …` with `traits:` below it."
        raise ConfigError([document.problem((), message)])
    parsed: list[ParsedDefinition] = []
    problems: list[Problem] = []
    schema = DefinitionSchema()
    for position, value in enumerate(document.value):
        try:
            parsed.append(schema.load(value))
        except ValidationError as error:
            problems += _problems(document, position, error)
    if problems:
        raise ConfigError(problems)
    return Definitions(parsed, text_limit=text_limit)


def _problems(document: Document, position: int, error: ValidationError) -> Iterable[Problem]:
    found = document.problems({"_schema": error.messages}, at=(position,))
    # Line and column say which definition it is; its number in the list tells a reader nothing.
    short = [replace(each, path=re.sub(r"^\[\d+\]\.?", "", each.path)) for each in found]
    return sorted(short, key=lambda each: (each.line or 0, each.column or 0))


def _one_pattern(globs: Sequence[str]) -> Any:
    """A test whether a text matches any of the globs; false for none at all."""
    return re.compile("|".join(map(fnmatch.translate, globs)) or r"(?!)").match
