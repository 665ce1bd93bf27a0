"""YAML → plain values, with the line and column of each at hand for error messages.

Reading never fails half-way: a file is either a `Document` or a `ConfigError`. The values are
plain Python data (merge keys resolved), so that schemas need not know where they came from; who
finds something wrong asks the document for a `Problem` at a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError, Problem

# libyaml's parser is ten times as fast as the pure Python one; wheels of PyYAML contain it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_BY_ALIASES, _ENDLESS, _DEEPEST = 1_000_000, 1 << 62, 100
# PyYAML lets out whatever its converters raise on a tagged value that is not of its tag.
_UNREADABLE = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: its plain `value`, and where each part of it stands."""

    file: str
    value: Any
    root: yaml.Node | None

    def problem(self, path: Sequence[str | int], message: str, *, key: bool = False) -> Problem:
        """A problem with the value at `path` (with its key, if `key`), or as near as there is."""
        line, column = self.place(path, key=key)
        return Problem(self.file, line, column, dotted(path), message)

    def place(self, path: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at `path`, or of its nearest parent."""
        node = name = self.root
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            name, node = found
        mark = (name if key else node).start_mark if node and name else None
        return (mark.line + 1, mark.column + 1) if mark else (1, 1)

    def problems(self, messages: Mapping[Any, Any], at: Sequence[str | int] = ()) -> list[Problem]:
        """The problems in marshmallow's nested error messages about the value at `at`."""
        return [self.problem(path, text) for path, text in _flat(messages, tuple(at))]


def load(text: str | bytes, file: str) -> Document:
    """Read one YAML document. `file` is its name in messages. Raises `ConfigError`."""
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            _check_size(root, len(text))
            value = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(error, file)]) from error
    except _UNREADABLE as error:
        message = f"not readable as YAML: {error}. Mend the file's encoding or syntax."
        raise ConfigError([Problem(file, None, None, "", message)]) from error
    return Document(file, value, root)


def _check_size(root: yaml.Node | None, written: int) -> None:
    """Raise `ValueError` where aliases, followed, make more of a document than anybody means.

    A value takes a character at least, so that of `written` characters no more values come.
    """
    if root is not None and _size(root, {}, 1) > written + _MOST_BY_ALIASES:
        raise ValueError(f"its aliases make more than {_MOST_BY_ALIASES:,} values more of it")


def _size(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """How many values a node holds with all that its aliases stand for."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if depth > _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} deep")
    if id(node) not in known:
        known[id(node)] = _ENDLESS  # what an alias inside it would make of it
        parts = node.value if isinstance(node, yaml.SequenceNode) else chain(*node.value)
        known[id(node)] = 1 + sum(_size(part, known, depth + 1) for part in parts)
    return known[id(node)]


def load_file(path: str | Path) -> Document:
    """Read the YAML file at `path`. Raises `ConfigError`, also when it cannot be opened."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        message = f"cannot be read: {error.strerror}. Check the path and its permissions."
        raise ConfigError([Problem(str(path), None, None, "", message)]) from error
    return load(text, str(path))


def dotted(path: Iterable[str | int]) -> str:
    """A path as people write it: `traits.host.type`, `sources[0].name`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        # The last one wins: merged keys stand before the mapping's own.
        for key, value in reversed(node.value):
            if str(key.value) == str(step):
                return key, value
    return None


def _flat(
    messages: Any, path: tuple[str | int, ...]
) -> Iterable[tuple[tuple[str | int, ...], str]]:
    if isinstance(messages, Mapping):
        for step, inner in messages.items():
            # marshmallow files what concerns the whole object under `_schema`.
            yield from _flat(inner, path if step == "_schema" else (*path, step))
    elif isinstance(messages, str):
        yield path, messages
    else:
        for inner in messages:
            yield from _flat(inner, path)


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = " ".join(part for part in (error.context, error.problem) if part)
    message = f"not YAML: {what}. Mend the syntax here."
    if mark is None:
        return Problem(file, None, None, "", message)
    return Problem(file, mark.line + 1, mark.column + 1, "", message)
