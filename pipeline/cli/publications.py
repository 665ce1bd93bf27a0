"""`tocsin publication`: events that a publisher did not take yet (events-in 28)."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import completion, times
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk, Document
from pipeline.desk.events import event_of
from pipeline.errors import InvalidValue
from pipeline.masking import mask_url

_COLUMNS = (
    *("publication_id", "publisher", "events", "attempts"),
    *("created_at", "due_at", "error"),
)
_WHICH = "Say which: give ids, or --publisher, or --all."

_publisher_option = click.option(
    "--publisher", metavar="URL", help="All of this publisher, as `list` or the file shows it."
)


@click.group()
def publication() -> None:
    """Look at events that a publisher has not taken yet.

    They are tried again by themselves for as long as it takes; one that is refused by a publisher
    that works waits for longer and longer. A unique beginning of an id is enough.
    """


@publication.command("list")
@_publisher_option
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many."
)
@output_options
@pass_desk
def list_(desk: Desk, output: Output, publisher: str | None, limit: int) -> None:
    """List publications, the oldest first.

    \b
    Examples:
      tocsin publication list
      tocsin publication list --publisher https://receiver.example/events -c error
    """
    found = desk.publications.search(publisher, limit)
    output.rows(_COLUMNS, [tuple(_row(each).values()) for each in found.items])


@publication.command()
@click.argument("publication_id", shell_complete=completion.publications)
@output_options
@pass_desk
def show(desk: Desk, output: Output, publication_id: str) -> None:
    """Show one publication with its events.

    \b
    Example:
      tocsin publication show 5f0c
    """
    found = desk.publications.find(publication_id)
    events = [event_of(event) for event in found["events"]]
    lines = [f"{event.message_id} {event.event_type}" for event in events]
    shown = Shown([event.as_dict() for event in events], "\n".join(lines))
    output.one({**_row(found), "events": shown})


@publication.command()
@click.argument("publication_ids", nargs=-1, shell_complete=completion.publications)
@_publisher_option
@click.option("--all", "everything", is_flag=True, help="All publications.")
@pass_desk
def replay(
    desk: Desk, publication_ids: tuple[str, ...], publisher: str | None, everything: bool
) -> None:
    """Have publications tried now, by the listeners that run.

    \b
    Examples:
      tocsin publication replay 5f0c
      tocsin publication replay --publisher https://receiver.example/events
    """
    count = desk.publications.replay(_which(publication_ids, publisher, everything))
    click.echo(f"{_counted(count)} due now. See: tocsin publication list")


@publication.command()
@click.argument("publication_ids", nargs=-1, shell_complete=completion.publications)
@_publisher_option
@click.option("--all", "everything", is_flag=True, help="All publications.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_desk
def purge(
    desk: Desk,
    publication_ids: tuple[str, ...],
    publisher: str | None,
    everything: bool,
    yes: bool,
) -> None:
    """Delete publications for good.

    Their events never reach the publisher.

    \b
    Examples:
      tocsin publication purge 5f0c
      tocsin publication purge --publisher https://gone.example/events --yes
    """
    which = _which(publication_ids, publisher, everything)
    if not yes:
        _check_there(desk, publication_ids, publisher)
        of = f" for {mask_url(publisher)}" if publisher else ""
        what = _counted(len(publication_ids)) if publication_ids else f"all publications{of}"
        click.confirm(f"Delete {what} for good, events included?", abort=True, err=True)
    count = desk.publications.purge(which)
    click.echo(f"{_counted(count)} deleted.")


def _which(publication_ids: tuple[str, ...], publisher: str | None, everything: bool) -> Document:
    """What the desk is asked for."""
    given = bool(publication_ids) + bool(publisher) + everything
    if not given:
        raise InvalidValue(_WHICH)
    if given > 1:
        raise InvalidValue(f"ids, --publisher and --all exclude each other. {_WHICH}")
    if publication_ids:
        return {"ids": list(publication_ids)}
    return {"publisher": publisher} if publisher else {"all": True}


def _check_there(desk: Desk, publication_ids: tuple[str, ...], publisher: str | None) -> None:
    """Whoever is asked a question should not hear afterwards that it was for nothing."""
    for one in publication_ids:
        desk.publications.find(one)
    if publisher:
        desk.publications.search(publisher, 1)


def _row(publication: Document) -> dict[str, Any]:
    return {
        "publication_id": publication["publication_id"],
        "publisher": publication["publisher"],
        "events": publication["event_count"],
        "attempts": publication["attempt_count"],
        "created_at": times.told(publication["created_at"]),
        "due_at": times.told(publication["due_at"]),
        "error": publication["error"],
    }


def _counted(count: int) -> str:
    return f"{count} publication{'' if count == 1 else 's'}"
