"""`tocsin rejected`: messages that could not be understood, kept with their reason."""

from __future__ import annotations

import json
from typing import Any

import click

from pipeline.cli import completion, times
from pipeline.cli.base import EXIT_FAILED, Application, pass_application
from pipeline.cli.output import Output, Shown, output_options
from pipeline.errors import InvalidValue
from pipeline.store.base import RejectedEvent

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
@pass_application
def list_(app: Application, output: Output, limit: int) -> None:
    """List rejected events, the newest first.

    \b
    Examples:
      tocsin rejected list
      tocsin rejected list -c reason -f value | sort | uniq -c
    """
    output.rows(_COLUMNS, [_row(one) for one in app.store.rejected(limit)])


@rejected.command()
@click.argument("rejected_id", shell_complete=completion.rejected_events)
@output_options
@pass_application
def show(app: Application, output: Output, rejected_id: str) -> None:
    """Show one rejected event with its body.

    \b
    Examples:
      tocsin rejected show 5f0c
      tocsin rejected show 5f0c -c body -f value | tocsin normalise
    """
    one = app.store.rejected_event(rejected_id)
    headers = dict(one.headers)
    output.one(
        {
            "rejected_id": one.rejected_id,
            "reason": one.reason,
            "source": one.source,
            "received_at": times.shown(one.received_at),
            "content_type": one.content_type,
            "headers": Shown(headers, json.dumps(headers, default=str)),
            "truncated": one.truncated,
            "body": one.body.decode("utf-8", "backslashreplace"),
        }
    )


@rejected.command()
@click.argument("rejected_ids", nargs=-1, shell_complete=completion.rejected_events)
@click.option("--all", "everything", is_flag=True, help="All rejected events.")
@pass_application
def replay(app: Application, rejected_ids: tuple[str, ...], everything: bool) -> None:
    """Take rejected events in again, as the definitions are now.

    One that is understood now leaves the list; one that is not stays, and the exit code is 1.

    \b
    Examples:
      tocsin rejected replay 5f0c 91ab
      tocsin rejected replay --all
    """
    if bool(rejected_ids) == everything:
        raise InvalidValue("Say which: give ids, or --all.")
    chosen = _all(app) if everything else [app.store.rejected_event(i) for i in rejected_ids]
    taken = sum(_taken(app, one) for one in chosen)
    click.echo(f"{taken} of {len(chosen)} taken.")
    if taken < len(chosen):
        raise click.exceptions.Exit(EXIT_FAILED)


def _row(one: RejectedEvent) -> tuple[Any, ...]:
    return one.rejected_id, times.shown(one.received_at), one.source, one.reason


def _all(app: Application) -> list[RejectedEvent]:
    return app.store.rejected(limit=max(1, app.store.counts().rejected))


def _taken(app: Application, one: RejectedEvent) -> bool:
    """Take one in. Whether it was understood; what is wrong with it is said."""
    if one.truncated:
        reason: str | None = "its body was cut when it was stored; have it sent again"
    else:
        reason = app.replay_rejected(one)
    if reason is None:
        app.store.forget_rejected(one.rejected_id)
        return True
    click.echo(f"{one.rejected_id}: {reason}", err=True)
    return False
