"""What a benchmark found: rows of figures, printed as a table and kept as JSON lines.

Every benchmark gathers `Row`s and gives them to `show`, which prints them and, where the
environment names a file in `TOCSIN_BENCH_ROWS`, adds them to it, a JSON object a line. What
writes RESULTS.md reads that file with `read_rows` and uses `as_markdown`. A figure is all its
samples, one a round, so that the median and the spread are made in one place.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROWS_FILE = "TOCSIN_BENCH_ROWS"


@dataclass(frozen=True)
class Figure:
    """One measure of one contender: `of` says what and in which unit (`messages/s`).

    `target` is what the samples' median is held against, `at_least` or at most; None: no target.
    """

    of: str
    samples: Sequence[float]
    target: float | None = None
    at_least: bool = True

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        return self.median >= self.target if self.at_least else self.median <= self.target

    def __str__(self) -> str:
        text = _number(self.median)
        if len(self.samples) > 1:
            text += f" ({_number(min(self.samples))}, {_number(max(self.samples))})"
        return text

    @property
    def target_text(self) -> str:
        """The target and whether it is met: `≥ 0.5 ✓`."""
        if self.target is None:
            return ""
        sign, mark = "≥" if self.at_least else "≤", "✓" if self.met else "✗"
        return f"{sign} {_number(self.target)} {mark}"


@dataclass(frozen=True)
class Row:
    """One line: `what` was measured, and its figures in the order of the columns.

    `benchmark` names the table; rows of one table stand together (`listening, quorum queue`).
    """

    benchmark: str
    what: str
    figures: Sequence[Figure]


def show(rows: Sequence[Row], note: str = "") -> None:
    """Print the rows, a table for each benchmark, and keep them where the environment says."""
    for name, table in tables(rows).items():
        print(f"\n{name}: medians (least, most){'; ' + note if note else ''}")
        _print(table)
    if path := os.environ.get(ROWS_FILE):
        with Path(path).open("a") as file:
            file.writelines(json.dumps(asdict(row)) + "\n" for row in rows)


def read_rows(path: Path) -> list[Row]:
    """The rows that `show` kept, of all benchmarks."""
    rows = []
    for line in path.read_text().splitlines():
        kept = json.loads(line)
        figures = [Figure(**figure) for figure in kept["figures"]]
        rows.append(Row(kept["benchmark"], kept["what"], figures))
    return rows


def tables(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    """The rows by benchmark, in the order in which these first come."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.benchmark, []).append(row)
    return found


def as_markdown(rows: Sequence[Row]) -> str:
    """One table of RESULTS.md."""
    head, *body = _cells(rows)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _print(rows: Sequence[Row]) -> None:
    lines = _cells(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for what, *cells in lines:
        pairs = zip(cells, widths[1:], strict=True)
        print("  ".join([what.ljust(widths[0]), *(cell.rjust(width) for cell, width in pairs)]))


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """The table as texts, its headings first: each measure, and its target where one has it."""
    names = list(dict.fromkeys(figure.of for row in rows for figure in row.figures))
    aimed = {figure.of for row in rows for figure in row.figures if figure.target is not None}
    lines = [["", *(text for name in names for text in [name, *["target"] * (name in aimed)])]]
    for row in rows:
        by_name = {figure.of: figure for figure in row.figures}
        cells = [row.what]
        for name in names:
            figure = by_name.get(name)
            cells.append(str(figure) if figure else "")
            if name in aimed:
                cells.append(figure.target_text if figure else "")
        lines.append(cells)
    return lines


def _number(value: float) -> str:
    """Three digits that tell, thousands apart."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"
