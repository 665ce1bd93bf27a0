"""Output in every form, byte for byte as cliff writes it (alarms 30)."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from pipeline.cli.base import TocsinGroup
from pipeline.cli.output import Output, Shown, output_options
from pipeline.cli.table import draw

COLUMNS = ("id", "count", "enabled", "note")
ROWS = (
    ("a", 7, True, "two\nlines"),
    ("bbb", 11, False, None),
    ("漢字", 0, True, Shown([1, 'x"'], "one and x")),
)


@click.group(cls=TocsinGroup)
def root() -> None:
    """As the root of the real command."""


@root.command("list")
@click.option("--none", is_flag=True)
@output_options
def list_(output: Output, none: bool) -> None:
    output.rows(COLUMNS, [] if none else ROWS)


@root.command()
@output_options
def show(output: Output) -> None:
    output.one(dict(zip(COLUMNS, ROWS[2], strict=True)))


def run(*arguments: str, code: int = 0) -> str:
    """What the command prints."""
    result = CliRunner().invoke(root, arguments)
    assert result.exit_code == code, result.output
    return result.output


LISTS = {
    "table": """\
+------+-------+---------+-----------+
| id   | count | enabled | note      |
+------+-------+---------+-----------+
| a    |     7 | True    | two       |
|      |       |         | lines     |
| bbb  |    11 | False   | None      |
| 漢字 |     0 | True    | one and x |
+------+-------+---------+-----------+
""",
    "csv": """\
"id","count","enabled","note"
"a",7,True,"two
lines"
"bbb",11,False,""
"漢字",0,True,"[1, 'x""']"
""",
    "value": """\
a 7 True two
lines
bbb 11 False None
漢字 0 True [1, 'x"']
""",
    "yaml": """\
- count: 7
  enabled: true
  id: a
  note: 'two

    lines'
- count: 11
  enabled: false
  id: bbb
  note: null
- count: 0
  enabled: true
  id: "\\u6F22\\u5B57"
  note:
  - 1
  - x"
""",
}


@pytest.mark.parametrize("form", LISTS)
def test_a_list_in_each_form(form: str) -> None:
    assert run("list", "-f", form) == LISTS[form]


def test_a_list_as_json() -> None:
    printed = run("list", "-f", "json", "-c", "id", "-c", "note")
    assert printed == (
        '[\n  {\n    "id": "a",\n    "note": "two\\nlines"\n  },\n'
        '  {\n    "id": "bbb",\n    "note": null\n  },\n'
        '  {\n    "id": "\\u6f22\\u5b57",\n    "note": [\n      1,\n      "x\\""\n    ]\n  }\n]\n'
    )


ONES = {
    "table": """\
+---------+-----------+
| Field   | Value     |
+---------+-----------+
| id      | 漢字      |
| count   | 0         |
| enabled | True      |
| note    | one and x |
+---------+-----------+
""",
    "csv": '"id","count","enabled","note"\n"漢字",0,True,"[1, \'x""\']"\n',
    "value": "漢字\n0\nTrue\n[1, 'x\"']\n",
    "yaml": 'id: "\\u6F22\\u5B57"\ncount: 0\nenabled: true\nnote:\n- 1\n- x"\n',
}


@pytest.mark.parametrize("form", ONES)
def test_one_thing_in_each_form(form: str) -> None:
    assert run("show", "-f", form) == ONES[form]


def test_one_thing_as_json_without_indents() -> None:
    printed = run("show", "-f", "json", "--noindent")
    assert (
        printed == '{"id": "\\u6f22\\u5b57", "count": 0, "enabled": true, "note": [1, "x\\""]}\n'
    )


def test_the_table_is_the_default() -> None:
    assert run("list") == LISTS["table"]


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("-f", "table"), "\n"),
        (("-f", "table", "-c", "id", "--print-empty"), "+----+\n| id |\n+----+\n+----+\n"),
        (("-f", "json"), "[]\n"),
        (("-f", "yaml"), "[]\n"),
        (("-f", "value"), ""),
        (("-f", "csv"), '"id","count","enabled","note"\n'),
    ],
)
def test_a_list_of_nothing(arguments: tuple[str, ...], printed: str) -> None:
    assert run("list", "--none", *arguments) == printed


def test_columns_stand_in_their_own_order_whatever_was_asked_first() -> None:
    assert run("list", "-f", "value", "-c", "count", "-c", "ID") == "a 7\nbbb 11\n漢字 0\n"


def test_an_unknown_column_is_refused_with_the_one_that_was_meant() -> None:
    printed = run("list", "-c", "conut", code=2)
    assert printed == (
        "Error: no column is called 'conut'. Use one of id, count, enabled, note. "
        "Did you mean 'count'?\n"
    )


@pytest.mark.parametrize(
    ("mode", "first"),
    [("all", '"a","7","True"'), ("minimal", "a,7,True"), ("none", "a,7,True")],
)
def test_what_csv_quotes_can_be_chosen(mode: str, first: str) -> None:
    columns = ("-c", "id", "-c", "count", "-c", "enabled")
    assert run("list", "-f", "csv", "--quote", mode, *columns).splitlines()[1] == first


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_table_is_wrapped_to_a_width(width: int) -> None:
    long = ["the quick brown fox " * 4, "x" * 50, 7, "漢字" * 20]
    drawn = draw(["words", "word", "n", "wide"], [long], max_width=width)
    assert {cell_len(line) for line in drawn.splitlines()} == {cell_len(drawn.splitlines()[0])}
    assert cell_len(drawn.splitlines()[0]) <= width
    kept = "".join(character for character in drawn if character not in " |+-\n")
    assert kept.count("x") == 50 + 4
    assert kept.count("漢") == 20


def test_a_column_is_never_wrapped_to_less_than_it_can_be_read_in() -> None:
    drawn = draw(["a", "b"], [["x" * 40, "y" * 40]], max_width=10, narrowest=8)
    assert "| xxxxxxxx | yyyyyyyy |" in drawn


def test_a_table_on_a_terminal_fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    program = (
        "from pipeline.cli.output import Output;"
        "Output().rows(['a', 'b'], [['x ' * 60, 'y ' * 60]])"
    )
    environment: dict[str, Any] = {**os.environ, "COLUMNS": "70", "TERM": "dumb"}
    with os.fdopen(theirs, "wb") as terminal:
        subprocess.run(
            [sys.executable, "-c", program],
            stdout=terminal,
            env=environment,
            check=True,
            timeout=60,
        )
        seen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert {len(line) for line in seen.splitlines()} <= set(range(60, 71))
