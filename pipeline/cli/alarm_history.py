"""`tocsin alarm-history`: what became of alarms, as the client `aodh` shows it (alarms 26)."""

from __future__ import annotations

import click

from pipeline.alarms.filters import sort_of
from pipeline.cli import completion
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.desk import Desk, Document
from pipeline.errors import NotFound

COLUMNS = ("timestamp", "type", "detail", "event_id")
_SEARCH_COLUMNS = ("alarm_id", "timestamp", "type", "detail")

_limit = click.option(
    "--limit", type=click.IntRange(min=1), metavar="COUNT", help="At most so many."
)
_marker = click.option(
    "--marker",
    metavar="ID",
    help="Go on after this event id, the last one that was listed before.",
)
_sort = click.option(
    "--sort",
    "sorts",
    multiple=True,
    metavar="KEY[:asc|desc]",
    help="Order by this field, and then by the next --sort.  [default: timestamp:desc]",
)


@click.group("alarm-history")
def alarm_history() -> None:
    """Look at what became of alarms."""


@alarm_history.command()
@click.argument("alarm", shell_complete=completion.alarms)
@_limit
@_marker
@_sort
@output_options
@pass_desk
def show(
    desk: Desk,
    output: Output,
    alarm: str,
    limit: int | None,
    marker: str | None,
    sorts: tuple[str, ...],
) -> None:
    """List what became of an alarm, the newest first.

    A deleted one has its history by its id.

    \b
    Examples:
      tocsin alarm-history show "user deleted" --limit 5
      tocsin alarm-history show "user deleted" --sort type --sort timestamp:desc
    """
    found = desk.alarms.history(id_once_found(desk, alarm), limit, marker, sort_of(sorts))
    output.rows(COLUMNS, [_row(line, COLUMNS) for line in found.items])


@alarm_history.command()
@click.option(
    "--query",
    metavar="EXPRESSION",
    help='Only lines for which this holds: "type=deletion and (user=ops or detail=~disk)".',
)
@_limit
@_marker
@_sort
@output_options
@pass_desk
def search(
    desk: Desk,
    output: Output,
    query: str | None,
    limit: int | None,
    marker: str | None,
    sorts: tuple[str, ...],
) -> None:
    """List what became of all alarms, the newest first.

    \b
    Examples:
      tocsin alarm-history search --query "type='state transition' and severity=critical"
      tocsin alarm-history search --query "timestamp>2026-01-02 and user=ops" --limit 20
    """
    found = desk.alarms.search_history(query, sort_of(sorts), limit, marker)
    output.rows(_SEARCH_COLUMNS, [_row(line, _SEARCH_COLUMNS) for line in found.items])


def id_once_found(desk: Desk, id_or_name: str) -> str:
    """The alarm's id; of one that is not there any more, what was given must be its id."""
    try:
        return str(desk.alarms.find(id_or_name)["alarm_id"])
    except NotFound:
        return id_or_name


def _row(line: Document, columns: tuple[str, ...]) -> list[str]:
    return [line[name] for name in columns]
