"""`tocsin route`: where notifications would go, and why."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pipeline.cli import completion
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk, Document
from pipeline.past import reference

_COLUMNS = ("alarm", "what", "name", "takes", "why")
_Row = tuple[str, str, str, Shown, str | Shown]


@click.group()
def route() -> None:
    """Look at where notifications go.

    An alarm's actions, the policy of a notification's kind, and matchers decide.
    """


@route.command("explain")
@click.argument("event", metavar="EVENT-ID|FILE", shell_complete=completion.events)
@click.option(
    "--alarm",
    "wanted",
    metavar="ALARM",
    shell_complete=completion.alarms,
    help="Only of this alarm: its id or name.",
)
@output_options
@pass_desk
def explain_(desk: Desk, output: Output, event: str, wanted: str | None) -> None:
    """Show who would be told of an event, and why not the others.

    Shows what every matcher and every target would make of it.
    The event is one in the archive, or the first of a file as `tocsin normalise` reads it. Every
    enabled alarm that it fires is looked at, as if it had not fired before. The id of a delivery
    is as good: then it is what was told there. Nothing is written or told.

    \b
    Examples:
      tocsin route explain 4fd53957
      tocsin route explain captured.jsonl --alarm "user deleted"
    """
    found = desk.routes.explain(reference(event), wanted)
    if not found["notifications"]:
        asked = found["alarm"]
        whom = "no enabled alarm" if asked is None else f"alarm {asked!r}"
        does = "fires" if asked is None else "does not fire"
        click.echo(f"{whom} {does} on it: nothing is told.", err=True)
    output.rows(_COLUMNS, [row for each in found["notifications"] for row in _rows(each)])


def _rows(told: Document) -> Iterator[_Row]:
    alarm, policy = told["alarm"], told["policy"]
    yield alarm, "policy", policy["name"], _yes(policy["takes"]), policy["why"]
    for what in ("matcher", "target"):
        for verdict in told[f"{what}s"]:
            yield alarm, what, verdict["name"], _yes(verdict["takes"]), _lines(verdict["why"])
    for problem in told["problems"]:
        yield alarm, "problem", "", _yes(False), problem


def _yes(taken: bool) -> Shown:
    return Shown(taken, "yes" if taken else "no")


def _lines(reason: str) -> Shown:
    """One of several reasons a line, for people."""
    return Shown(reason, reason.replace("; ", "\n"))
