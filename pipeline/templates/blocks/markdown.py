"""Markdown as GitHub's, which Gotify and others show. Pure.

A value can neither make a link, nor a heading, nor end a block of code: what Markdown would read
in it is escaped, and fences are longer than any within.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from pipeline.templates.blocks.base import Blocks, Table
from pipeline.templates.values import plain

_SPECIAL = re.compile(r"([\\`*\[\]<>~|])")
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_LINE_START = re.compile(
    r"^([ \t]*)(#{1,6}(?=\s|$)|[+-](?=\s|[+-]*$)|=(?==*\s*$)|\d+[.)](?=\s|$))", re.MULTILINE
)
_BACKTICKS = re.compile(r"`+")
_URL = "%/:?#@!$&'*+,;=~"
"""What stays as it is in a URL; parentheses and brackets would end the link."""
_BLANK_LINES = re.compile(r"\n{3,}")


class MarkdownBlocks(Blocks):
    """Blocks of Markdown."""

    def escape(self, text: str) -> str:
        text = _SPECIAL.sub(r"\\\1", text)
        text = _UNDERSCORE.sub(r"\\_", _ENTITY.sub(r"\\&", text))
        return _LINE_START.sub(_escaped_start, text)

    def whole(self, written: str) -> str:
        return _BLANK_LINES.sub("\n\n", written).strip("\n")

    def heading(self, text: Any, level: int = 1) -> str:
        return f"{'#' * (level + 1)} {self._line(plain(text))}"

    def draw(self, table: Table) -> str:
        rules = ["---:" if numeric else "---" for numeric in table.numeric]
        rows = [
            [self._line(label) for label in table.labels],
            rules,
            *([self._line(cell) for cell in row] for row in table.rows),
        ]
        more = [f"\n… {table.left_out} more"] if table.left_out else []
        return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), *more])

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> str:
        return "\n".join(
            f"- **{self._line(label)}:** {self._line(value)}" for label, value in pairs
        )

    def preformatted(self, text: str, language: str = "") -> str:
        fence = "`" * max(3, 1 + _longest_run(text))
        return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"

    def code(self, text: Any) -> str:
        line = " ".join(plain(text).split())
        if not line:
            return ""
        ticks = "`" * (1 + _longest_run(line))
        blank = " " if "`" in (line[0], line[-1]) else ""
        return f"{ticks}{blank}{line}{blank}{ticks}"

    def anchor(self, url: str, words: str) -> str:
        safe = quote(url.encode("utf-8", "replace"), safe=_URL)
        return f"[{self.escape(words)}]({safe})" if words else f"<{safe}>"

    def badge(self, text: Any, tone: Any = None) -> str:
        line = self._line(plain(text))
        return f"**{line}**" if line else ""

    def _line(self, text: str) -> str:
        return self.escape(" ".join(text.split()))


def _escaped_start(found: re.Match[str]) -> str:
    blanks, mark = found.groups()
    return f"{blanks}{mark[:-1]}\\{mark[-1]}"


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)
