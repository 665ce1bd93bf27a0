"""What every form's blocks are called, and how rows and cells come out of what a template gives.

Pure. A template that asks for what there is not gets an `InvalidValue`, whose text is for people.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.errors import InvalidValue
from pipeline.registry import one_of
from pipeline.templates.values import RENDERERS, label, plain, pretty_json

LONGEST_CELL: Final = 4_000
LONGEST_BLOCK: Final = 100_000
MOST_ROWS: Final = 1_000
_FOLLOWED: Final = ("http://", "https://", "mailto:")


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose cells are texts. `numeric` says of each column whether it holds numbers."""

    labels: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    left_out: int = 0


class Blocks(ABC):
    """The blocks of one form. `None` is as good as nothing."""

    @abstractmethod
    def escape(self, text: str) -> str:
        """A text as it stands in running words."""

    @abstractmethod
    def heading(self, text: Any, level: int = 1) -> str:
        """A heading."""

    @abstractmethod
    def draw(self, table: Table) -> str:
        """A table."""

    @abstractmethod
    def pairs(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Labels, and what each stands for."""

    @abstractmethod
    def preformatted(self, text: str, language: str = "") -> str:
        """A text as it stands, its lines and blanks kept."""

    @abstractmethod
    def code(self, text: Any) -> str:
        """A word of a machine within a sentence: an id, a path."""

    @abstractmethod
    def anchor(self, url: str, words: str) -> str:
        """A link, whose URL is one that may be followed."""

    @abstractmethod
    def badge(self, text: Any, tone: Any = None) -> str:
        """A word that stands out, coloured as the severity or state `tone` (else itself)."""

    def whole(self, written: str) -> str:
        """What a template has written, with its blocks put in their places."""
        return written

    def page(self, written: str) -> str:
        """What a template has written that makes a whole page by itself."""
        return written

    def link(self, url: Any, label: Any = "") -> str:
        """A link to a web page or a mailbox; other URLs are written to be read only."""
        address, words = "".join(plain(url).split()), " ".join(plain(label).split())
        if not address.lower().startswith(_FOLLOWED):
            return self.code(f"{words} {address}".strip())
        return self.anchor(address, words)

    def change(self, previous: Any, current: Any) -> str:
        """From one state to another."""
        return f"{self.badge(previous)} → {self.badge(current)}"

    def table(self, columns: Any, rows: Any) -> str:
        """A table. A column is `{label, id, renderer}` or an id; a row is an object, or a list."""
        return self.draw(_table(columns, rows))

    def details(self, pairs: Any, renderers: Any = None, *, labels: Any = False) -> str:
        """Labels and values, of an object or of a list of pairs; nothing of those without a
        value. With `labels`, the names of fields are made readable."""
        how = renderers if isinstance(renderers, Mapping) else {}
        given = pairs.items() if isinstance(pairs, Mapping) else pairs
        name = label if labels else plain
        found = [(cut(name(k)), cut(_renderer(how.get(k))(v))) for k, v in given]
        shown = [(label, value) for label, value in found if value]
        left = len(shown) - MOST_ROWS
        more = [("…", f"{left} more")] if left > 0 else []
        return self.pairs([*shown[:MOST_ROWS], *more]) if shown else ""

    def object(self, value: Any) -> str:
        """Any value as JSON, indented."""
        return self.preformatted(cut(pretty_json(value), LONGEST_BLOCK), "json")

    def verbatim(self, text: Any) -> str:
        """A text as it stands."""
        return self.preformatted(cut(plain(text), LONGEST_BLOCK))


def cut(text: str, longest: int = LONGEST_CELL) -> str:
    """A text that is no longer than this."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def _table(columns: Any, rows: Any) -> Table:
    described = [_column(each) for each in _listed(columns, "columns")]
    given = _listed(rows, "rows")
    values = [_cells(row, described) for row in given[:MOST_ROWS]]
    numeric = tuple(_is_numeric(values, index) for index in range(len(described)))
    texts = tuple(
        tuple(cut(render(value)) for value, (_, _, render) in zip(row, described, strict=True))
        for row in values
    )
    labels = tuple(label for label, _, _ in described)
    return Table(labels, texts, numeric, max(len(given) - MOST_ROWS, 0))


def _listed(value: Any, what: str) -> list[Any]:
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        return list(value)
    raise InvalidValue(f"a table needs a list of {what}, not {plain(value)!r:.60}.")


def _column(given: Any) -> tuple[str, str, Callable[[Any], str]]:
    if isinstance(given, str):
        return given, given, plain
    if not isinstance(given, Mapping) or "id" not in given:
        raise InvalidValue("a column of a table is {label, id, renderer}; the id must be there.")
    id = str(given["id"])
    return str(given.get("label", id)), id, _renderer(given.get("renderer"))


def _renderer(name: Any) -> Callable[[Any], str]:
    if name is None:
        return plain
    wanted = str(name).replace("-", "_")
    if wanted not in RENDERERS:
        raise InvalidValue(f"unknown renderer {name!r}. {one_of(wanted, RENDERERS)}")
    return RENDERERS[wanted]


def _cells(row: Any, columns: Sequence[tuple[str, str, Any]]) -> list[Any]:
    if isinstance(row, Mapping):
        return [row.get(id) for _, id, _ in columns]
    if isinstance(row, (list, tuple)):
        return [row[i] if i < len(row) else None for i in range(len(columns))]
    return [row, *[None] * (len(columns) - 1)][: len(columns)]


def _is_numeric(rows: Sequence[Sequence[Any]], index: int) -> bool:
    values = [row[index] for row in rows if row[index] is not None]
    return bool(values) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    )
