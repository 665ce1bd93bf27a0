"""`tocsin rejected`: messages that could not be understood, kept with their reason."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import click

from pipeline.cli import completion, times
from pipeline.cli.base import EXIT_FAILED, pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk, Document
from pipeline.errors import InvalidValue

_REPLAYED_AT_ONCE = 100
_COLUMNS = ("rejected_id", "received_at", "source", "reason")


@click.group()
def rejected() -> None:
    """Look at messages that were not understood; replay them.

    After the event definitions were mended, `tocsin rejected replay` gives such a message another
    chance. A unique beginning of an id is enough.
    """


@rejected.command("list")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many."
)
@output_options
@pass_desk
def list_(desk: Desk, output: Output, limit: int) -> None:
    """List rejected events, the newest first.

    \b
    Examples:
      tocsin rejected list
      tocsin rejected list -c reason -f value | sort | uniq -c
    """
    output.rows(_COLUMNS, map(_row, desk.rejected_events.search(limit).items))


@rejected.command()
@click.argument("rejected_id", shell_complete=completion.rejected_events)
@output_options
@pass_desk
def show(desk: Desk, output: Output, rejected_id: str) -> None:
    """Show one rejected event with its body.

    \b
    Examples:
      tocsin rejected show 5f0c
      tocsin rejected show 5f0c -c body -f value | tocsin normalise
    """
    one = desk.rejected_events.find(rejected_id)
    output.one(
        {
            "rejected_id": one["rejected_id"],
            "reason": one["reason"],
            "source": one["source"],
            "received_at": times.told(one["received_at"]),
            "content_type": one["content_type"],
            "headers": Shown(one["headers"], json.dumps(one["headers"])),
            "truncated": one["truncated"],
            "body": _body(one),
        }
    )


@rejected.command()
@click.argument("rejected_ids", nargs=-1, shell_complete=completion.rejected_events)
@click.option("--all", "everything", is_flag=True, help="All rejected events.")
@pass_desk
def replay(desk: Desk, rejected_ids: tuple[str, ...], everything: bool) -> None:
    """Take rejected events in again, as the definitions are now.

    One that is understood now leaves the list; one that is not stays, and the exit code is 1.

    \b
    Examples:
      tocsin rejected replay 5f0c 91ab
      tocsin rejected replay --all
    """
    if bool(rejected_ids) == everything:
        raise InvalidValue("Say which: give ids, or --all.")
    chosen = _all(desk) if everything else list(rejected_ids)
    taken = 0
    for start in range(0, len(chosen), _REPLAYED_AT_ONCE):
        became = desk.rejected_events.replay({"ids": chosen[start : start + _REPLAYED_AT_ONCE]})
        taken += became["taken"]
        for one in became["left"]:
            click.echo(f"{one['rejected_id']}: {one['reason']}", err=True)
    click.echo(f"{taken} of {len(chosen)} taken.")
    if taken < len(chosen):
        raise click.exceptions.Exit(EXIT_FAILED)


def _row(one: Document) -> tuple[Any, ...]:
    return one["rejected_id"], times.told(one["received_at"]), one["source"], one["reason"]


def _body(one: Document) -> str:
    """The body for people, whatever it is."""
    if one["body_encoding"] == "text":
        return str(one["body"])
    return b64decode(one["body"]).decode("utf-8", "backslashreplace")


def _all(desk: Desk) -> list[str]:
    return [one["rejected_id"] for one in desk.rejected_events.search().items]
