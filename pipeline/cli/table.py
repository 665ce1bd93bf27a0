"""Rows → a table drawn with +, - and |, as every OpenStack client draws it.

Pure. Wide characters take two places, colours none; a cell may have several lines, and a table
can be made to fit a width. Called by `pipeline.cli.output`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from click import unstyle
from rich.cells import cell_len, chop_cells

_PADDING = 3  # A column takes its width, a blank on each side and a border.


def draw(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], max_width: int = 0, narrowest: int = 8
) -> str:
    """The table, without a newline at its end.

    A column whose first value is a number is aligned to the right. With `max_width`, wide
    columns are wrapped so that the table fits, but none to less than `narrowest` places.
    """
    right = [isinstance(v, int | float) and not isinstance(v, bool) for v in _first(columns, rows)]
    cells = [[_lines(value) for value in row] for row in (columns, *rows)]
    if max_width:
        limits = _limits(_widths(cells), max_width, narrowest)
        cells = [
            [_wrapped(lines, limit) for lines, limit in zip(row, limits, strict=True)]
            for row in cells
        ]
    widths = _widths(cells)
    border = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    header, *body = ("\n".join(_drawn(row, widths, right)) for row in cells)
    return "\n".join([border, header, border, *body, border])


def _first(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sequence[Any]:
    return rows[0] if rows else columns


def _lines(value: Any) -> list[str]:
    return str(value).replace("\r\n", "\n").replace("\r", " ").expandtabs().split("\n")


def _widths(cells: Sequence[Sequence[list[str]]]) -> list[int]:
    return [
        max(_places(line) for cell in column for line in cell)
        for column in zip(*cells, strict=True)
    ]


def _limits(widths: Sequence[int], max_width: int, narrowest: int) -> list[int]:
    """The widths to wrap to: the wide columns share what the narrow ones leave."""
    usable = max(0, max_width - 1 - _PADDING * len(widths))
    if sum(widths) <= usable:
        return list(widths)
    fair = usable // len(widths)
    wide = [index for index, width in enumerate(widths) if width > fair]
    left = usable - sum(width for width in widths if width <= fair)
    limits = list(widths)
    for position, index in enumerate(wide):
        limits[index] = max(narrowest, left // (len(wide) - position))
        left -= limits[index]
    return limits


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    return [part for line in lines for part in _folded(line, width)]


def _folded(line: str, width: int) -> Iterator[str]:
    """The line in parts that fit, between words; a word that does not fit is cut."""
    if _places(line) <= width:
        yield line
        return
    line = unstyle(line)
    part, *words = (piece for word in line.split(" ") for piece in chop_cells(word, width) or [""])
    for word in words:
        if cell_len(part) + 1 + cell_len(word) <= width:
            part += f" {word}"
        else:
            yield part.rstrip()
            part = word
    yield part.rstrip()


def _drawn(
    row: Sequence[list[str]], widths: Sequence[int], right: Sequence[bool]
) -> Iterator[str]:
    for number in range(max(map(len, row))):
        line = "|"
        for lines, width, to_right in zip(row, widths, right, strict=True):
            text = lines[number] if number < len(lines) else ""
            blank = " " * (width - _places(text))
            line += f" {blank}{text} |" if to_right else f" {text}{blank} |"
        yield line


def _places(line: str) -> int:
    return cell_len(unstyle(line))
