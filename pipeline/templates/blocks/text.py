"""Plain text: tables and details aligned in columns, wide characters counted as two. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from pipeline.templates.blocks.base import Blocks, Table
from pipeline.templates.values import plain

_BLANK_LINES = re.compile(r"\n{3,}")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)


class TextBlocks(Blocks):
    """Blocks of plain text. Nothing is escaped."""

    def escape(self, text: str) -> str:
        return text

    def whole(self, written: str) -> str:
        return _BLANK_LINES.sub("\n\n", _TRAILING.sub("", written)).strip("\n")

    def heading(self, text: Any, level: int = 1) -> str:
        line = " ".join(plain(text).split())
        return f"{line}\n{('=' if level == 1 else '-') * cell_len(line)}"

    def draw(self, table: Table) -> str:
        rows = [table.labels, *table.rows]
        cells = [[" ".join(cell.split()) for cell in row] for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        header, *body = (_line(row, widths, table.numeric) for row in cells)
        rule = "  ".join("-" * width for width in widths)
        more = [f"… {table.left_out} more"] if table.left_out else []
        return "\n".join([header, rule, *body, *more])

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> str:
        width = max(cell_len(label) for label, _ in pairs)
        return "\n".join(_pair(label, value, width) for label, value in pairs)

    def preformatted(self, text: str, language: str = "") -> str:
        return text.strip("\n")

    def code(self, text: Any) -> str:
        return plain(text)

    def anchor(self, url: str, words: str) -> str:
        return f"{words}: {url}" if words else url

    def badge(self, text: Any, tone: Any = None) -> str:
        return plain(text)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = []
    for cell, width, right in zip(cells, widths, numeric, strict=True):
        blanks = " " * (width - cell_len(cell))
        padded.append(blanks + cell if right else cell + blanks)
    return "  ".join(padded).rstrip()


def _pair(label: str, value: str, width: int) -> str:
    label = " ".join(label.split())
    indent = " " * (width + 2)
    lines = value.splitlines() or [""]
    return f"{label}{' ' * (width + 2 - cell_len(label))}" + f"\n{indent}".join(lines)
