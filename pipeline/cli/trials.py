"""`tocsin alarm explain` and `tocsin alarm test`: why alarms fire, and on what they would."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from pipeline.alarms.conditions import SIGNS
from pipeline.alarms.files import load_alarms
from pipeline.alarms.schema import as_dict
from pipeline.as_code.items import LISTS
from pipeline.cli import completion, times
from pipeline.cli.base import EXIT_FAILED, fail, pass_desk
from pipeline.cli.events import lines_of
from pipeline.cli.output import (
    Output,
    Shown,
    output_options,
    output_options_beside_files,
    parted,
)
from pipeline.desk import Desk, Document
from pipeline.errors import InvalidValue
from pipeline.past import reference
from pipeline.targets import check_action

_CHECK_COLUMNS = ("holds", "check", "wanted", "found", "why")
_RESULT_COLUMNS = ("name", "of_type", "matches", "firings", "first", "last", "silent", "newest")
_SHOWN_COLUMNS = _RESULT_COLUMNS[:-2]
_MATCH_COLUMNS = ("fires", "name", "generated", "event_type", "message_id")


@click.command()
@click.argument("alarm", shell_complete=completion.alarms)
@click.option(
    "--event",
    required=True,
    metavar="ID|FILE",
    shell_complete=completion.events,
    help="An event in the archive, or the first of a file as `tocsin normalise` reads it.",
)
@click.option(
    "--at",
    type=times.MOMENT,
    help="As if the event came then: a time, or an age as 2h.  [default: when it was generated]",
)
@output_options
@pass_desk
def explain(desk: Desk, output: Output, alarm: str, event: str, at: datetime | None) -> None:
    """Show why an alarm does or does not fire on an event.

    One row for each thing that must be so, what the event has there, and what that means; the
    last row is the verdict. The alarm is taken as it stands, in its present state. Nothing is
    written or told.

    \b
    Examples:
      tocsin alarm explain "login failed" --event 4fd53957
      tocsin alarm explain "login failed" --event captured.jsonl --at 2026-01-02T23:30:00Z
    """
    asked = desk.alarms.find(alarm)
    found = desk.trials.explain(asked["alarm_id"], reference(event), at)
    if output.format == "table":
        what = f"event {found['message_id']} ({found['event_type']})"
        click.echo(f"alarm {found['name']}, {what}, at {found['at']}Z")
    output.rows(_CHECK_COLUMNS, [*map(_check_row, found["checks"]), _verdict_row(found)])


def _check_row(check: Document) -> tuple[Any, ...]:
    found = {"value": check["found"], "type": check["found_type"]}
    text = check["found_type"] if check["found"] is None else _text(check["found"])
    wanted: Any = check["wanted"]
    if check["field"] is not None:
        type = f" ({check['type']})" if check["type"] else ""
        asked = {"op": check["op"], "value": wanted, "type": check["type"]}
        wanted = Shown(asked, f"{SIGNS.get(check['op'], check['op'])} {wanted}{type}")
    name = check["field"] or check["check"]
    if check["rule"]:
        name = f"{check['rule']}: {name}"
    return _mark(check["holds"]), name, wanted, Shown(found, text), check["why"]


def _verdict_row(found: Document) -> tuple[Any, ...]:
    states = f"{found['previous']} → {found['current']}" if found["fires"] else found["previous"]
    why = found["verdict"]
    if found["fired_at"]:
        why += f"\nThis event fired it at {found['fired_at']}Z; it does so once."
    return _mark(found["fires"]), "verdict", "", states, why


def _mark(holds: bool, no: str = "✗") -> Shown:
    return Shown(holds, click.style("✓", fg="green") if holds else click.style(no, fg="red"))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@click.command()
@click.option(
    "-f",
    "--file",
    "given",
    multiple=True,
    required=True,
    metavar="FILE",
    help="A YAML file with alarms. May be given several times. (-f json is the format: ./json.)",
)
@click.option(
    "--events",
    "event_files",
    multiple=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE...",
    help="Files with events, as `tocsin normalise` reads and prints them; - is standard input.",
)
@click.argument("more", nargs=-1, type=click.Path(dir_okay=False), metavar="[FILE]...")
@click.option(
    "--since",
    type=times.MOMENT,
    help="The archive's events, generated then or later: a time, or an age as 7d.",
)
@click.option("--until", type=times.MOMENT, help="Generated then or earlier.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Show at most so many matches of an alarm, the last generated ones.",
)
@click.option(
    "--expect",
    type=click.IntRange(min=0),
    metavar="COUNT",
    help="Exit 1 unless the alarms together have so many matches.",
)
@output_options_beside_files
@pass_desk
def test(
    desk: Desk,
    output: Output,
    given: Sequence[str],
    event_files: Sequence[str],
    more: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    expect: int | None,
) -> None:
    """Show on which events the alarms of a file would have fired.

    Each event is taken as if it came when it was generated. An alarm matches the events that meet
    all that it asks for, and fires on those on which it is not silent: without repeat_actions on
    the first alone. Of one without a match is said what fails most. The alarms are not made, and
    nobody is told of anything.

    \b
    Examples:
      tocsin alarm test -f alarms.yaml --since 7d
      tocsin alarm test -f alarms.yaml --events captured.jsonl.gz more.jsonl
      tocsin alarm test -f alarms.yaml --events captured.jsonl --expect 3 -f json
    """
    files, output = parted(given, output)
    alarms = [alarm for file in files for alarm in _alarms(file)]
    if not alarms:
        raise InvalidValue("no alarms to try out. Name a file that has some with -f FILE.")
    event_files = [*event_files, *more]
    if bool(event_files) == bool(since or until):
        raise InvalidValue("say which events: --events FILE..., or --since, and only one of them.")
    if event_files:
        found = _tried_on_files(desk, alarms, event_files, limit)
    else:
        found = desk.trials.test(alarms, since=since, until=until, newest=limit)
    matches = sum(alarm["matches"] for alarm in found["alarms"])
    _show(output, found)
    if found["stopped_at"]:
        go_on = f"Go on with --since {found['stopped_at']}Z"
        click.echo(f"Warning: there are more events than are looked at. {go_on}", err=True)
    if expect is not None and matches != expect:
        fail(f"expected {expect:,} matches, found {matches:,}", EXIT_FAILED)


def _alarms(file: str) -> list[Document]:
    """The alarms of a file. Raises `InvalidValue`, `ConfigError`."""
    try:
        text = Path(file).read_bytes()
    except OSError as error:
        raise InvalidValue(f"{file}: cannot be read: {error.strerror}", "file") from error
    now = datetime.now(UTC)
    alarms = load_alarms(
        text, file, new_id=str, now=now, check_action=check_action, beside=tuple(LISTS)
    )
    return [as_dict(alarm) for alarm in alarms]


def _tried_on_files(
    desk: Desk, alarms: Sequence[Document], files: Sequence[str], newest: int
) -> Document:
    with ExitStack() as opened:
        lines = _Lines([(name, _opened(name, opened)) for name in files])
        found = desk.trials.test(alarms, iter(lines), newest=newest)
    for each in found["rejections"]:
        click.echo(f"Warning: {lines.place(each['line'])}: {each['reason']}", err=True)
    if found["rejected"] > len(found["rejections"]):
        click.echo(f"Warning: {found['rejected']:,} lines were no event.", err=True)
    return found


def _opened(name: str, opened: ExitStack) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    try:
        return opened.enter_context(open(name, "rb"))
    except OSError as error:
        raise InvalidValue(f"{name}: cannot be read: {error.strerror}", "events") from error


class _Lines:
    """The lines of several files, and where the one with a number stands; numbers are from 1."""

    def __init__(self, files: Sequence[tuple[str, BinaryIO]]) -> None:
        self._files = files
        self._starts: list[int] = []

    def __iter__(self) -> Iterator[bytes]:
        number = 0
        for _, file in self._files:
            self._starts.append(number)
            for line in lines_of(file):
                number += 1
                yield line

    def place(self, number: int) -> str:
        """`captured.jsonl:17`, for people."""
        at = bisect_right(self._starts, number - 1) - 1
        return f"{self._files[at][0]}:{number - self._starts[at]}"


def _show(output: Output, found: Document) -> None:
    results = found["alarms"]
    if output.format != "table" or output.columns:
        rows = [tuple(_cell(result, name) for name in _RESULT_COLUMNS) for result in results]
        output.rows(_RESULT_COLUMNS, rows)
        return
    click.echo(f"{found['events']:,} events were looked at.")
    output.rows(_SHOWN_COLUMNS, [[_cell(each, name) for name in _SHOWN_COLUMNS]
                                 for each in results])  # fmt: skip
    for result in results:
        for line in result["silent"].splitlines():
            click.echo(f"{result['name']} matches none: {line}")
    matches = [_match_row(result, match) for result in results for match in result["newest"]]
    if matches:
        output.rows(_MATCH_COLUMNS, matches)


def _cell(result: Document, name: str) -> Any:
    value = result[name]
    if name in ("first", "last"):
        return Shown(value, f"{value}Z" if value else "")
    if name == "newest":
        return Shown(value, "\n".join(match["message_id"] for match in value))
    return value


def _match_row(result: Document, match: Document) -> tuple[Any, ...]:
    place = f"{match['generated']}Z"
    return (
        _mark(match["fires"], "silent"),
        result["name"],
        place,
        match["event_type"],
        match["message_id"],
    )
