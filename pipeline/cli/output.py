"""How a command shows rows or one thing: `-f table|json|csv|value|yaml`, `-c COLUMN`.

The options, the look and, unless a table is wrapped to a width, the exact bytes are cliff's, on
which the OpenStack clients are built: scripts written for `aodh` read our output too
(alarms 30). Used by all commands that show something.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, wraps
from typing import Any, NamedTuple

import click
import yaml

from pipeline.cli.table import draw
from pipeline.errors import InvalidValue
from pipeline.registry import one_of

FORMATS = ("table", "json", "csv", "value", "yaml")
_QUOTES = {
    "all": csv.QUOTE_ALL,
    "minimal": csv.QUOTE_MINIMAL,
    "none": csv.QUOTE_NONE,
    "nonnumeric": csv.QUOTE_NONNUMERIC,
}


class Shown(NamedTuple):
    """A value that reads better to people in another form: `text` is for tables."""

    value: Any
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """What a person asked for by the output options."""

    format: str = "table"
    columns: tuple[str, ...] = ()
    max_width: int = 0
    fit_width: bool = False
    print_empty: bool = False
    quote: str = "nonnumeric"
    noindent: bool = False

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print a list of things, one a row."""
        chosen = self._chosen(columns)
        names = [columns[index] for index in chosen]
        picked = [[row[index] for index in chosen] for row in rows]
        if self.format == "table":
            click.echo(self._table(names, _texts(picked), 8) if picked or self.print_empty else "")
            return
        plain = [[_value(value) for value in row] for row in picked]
        match self.format:
            case "json":
                self._json([dict(zip(names, row, strict=True)) for row in plain])
            case "yaml":
                _yaml([dict(zip(names, row, strict=True)) for row in plain])
            case "csv":
                self._csv([names, *plain])
            case "value":
                for row in plain:
                    click.echo(" ".join(map(str, row)))

    def one(self, thing: Mapping[str, Any], unasked: Collection[str] = ()) -> None:
        """Print one thing, one of its fields a row; what is `unasked` only if it is chosen."""
        wanted = set(map(_normal, self.columns))
        columns = [name for name in thing if name not in unasked or _normal(name) in wanted]
        names = [columns[index] for index in self._chosen(columns)]
        if self.format == "table":
            fields = _texts([[name, thing[name]] for name in names])
            # The first row decides the alignment, and values are of all kinds.
            click.echo(self._table(["Field", "Value"], [[n, str(v)] for n, v in fields], 16))
            return
        plain = {name: _value(thing[name]) for name in names}
        match self.format:
            case "json":
                self._json(plain)
            case "yaml":
                for name, value in plain.items():
                    _yaml({name: value})
            case "csv":
                self._csv([list(plain), list(plain.values())])
            case "value":
                for value in plain.values():
                    click.echo(str(value))

    def _chosen(self, columns: Sequence[str]) -> list[int]:
        wanted = {_normal(name): name for name in self.columns}
        known = {_normal(name) for name in columns}
        for normal, name in wanted.items():
            if normal not in known:
                raise InvalidValue(f"no column is called {name!r}. {one_of(name, columns)}")
        return [i for i, name in enumerate(columns) if not wanted or _normal(name) in wanted]

    def _table(self, names: Sequence[str], rows: Sequence[Sequence[Any]], narrowest: int) -> str:
        width = self.max_width
        if width <= 0:
            fit = self.fit_width or sys.stdout.isatty()
            width = shutil.get_terminal_size().columns if fit else 0
        return draw(names, rows, width, narrowest)

    def _json(self, value: Any) -> None:
        click.echo(json.dumps(value, indent=None if self.noindent else 2))

    def _csv(self, rows: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO()
        quoting: Any = _QUOTES[self.quote]
        csv.writer(text, quoting=quoting, lineterminator=os.linesep, escapechar="\\").writerows(
            rows
        )
        click.echo(text.getvalue(), nl=False)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the output options; it is handed them as `output`."""
    return _with_output(command, _OPTIONS)


def output_options_beside_files(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command whose own option -f takes files: where the name of a format is given
    to that, it is a format (`parted`)."""
    return _with_output(command, (_LONG_FORMAT, *_OPTIONS[1:]))


def parted(given: Sequence[str], output: Output) -> tuple[list[str], Output]:
    """What was given to -f, parted: the files, and the output in the format among them."""
    formats = [name for name in given if name in FORMATS]
    files = [name for name in given if name not in FORMATS]
    return files, replace(output, format=formats[-1]) if formats else output


def _with_output(
    command: Callable[..., Any], options: Sequence[Callable[..., Any]]
) -> Callable[..., Any]:
    @wraps(command)
    def with_output(*args: Any, **options: Any) -> Any:
        given = {name: options.pop(f"output_{name}") for name in Output.__slots__}
        return command(*args, output=Output(**given), **options)

    for option in reversed(options):
        with_output = option(with_output)
    return with_output


_format = partial(
    click.option,
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="The form of the output.",
)
_LONG_FORMAT = _format("--format", "output_format")
_OPTIONS = (
    _format("-f", "--format", "output_format"),
    click.option(
        "-c",
        "--column",
        "output_columns",
        multiple=True,
        metavar="COLUMN",
        help="Show only this column. May be given several times.",
    ),
    click.option(
        "--max-width",
        "output_max_width",
        type=int,
        default=0,
        metavar="PLACES",
        envvar="CLIFF_MAX_TERM_WIDTH",
        help="Wrap the table to this width.",
    ),
    click.option(
        "--fit-width",
        "output_fit_width",
        is_flag=True,
        envvar="CLIFF_FIT_WIDTH",
        help="Wrap the table to the terminal, even if the output goes elsewhere.",
    ),
    click.option(
        "--print-empty", "output_print_empty", is_flag=True, help="Draw a table without rows too."
    ),
    click.option(
        "--quote",
        "output_quote",
        type=click.Choice(list(_QUOTES)),
        default="nonnumeric",
        show_default=True,
        help="What CSV puts in quotes.",
    ),
    click.option("--noindent", "output_noindent", is_flag=True, help="Write JSON in one line."),
)


def _normal(name: str) -> str:
    return name.lower().strip().replace(" ", "_")


def _value(value: Any) -> Any:
    return value.value if isinstance(value, Shown) else value


def _texts(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [[value.text if isinstance(value, Shown) else value for value in row] for row in rows]


def _yaml(value: Any) -> None:
    click.echo(yaml.safe_dump(value, default_flow_style=False), nl=False)
