"""`tocsin publication`: events that a publisher did not take yet (events-in 28)."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import completion, times
from pipeline.cli.base import Application, pass_application
from pipeline.cli.output import Output, Shown, output_options
from pipeline.errors import InvalidValue
from pipeline.masking import mask_url
from pipeline.registry import did_you_mean
from pipeline.store.base import PublicationRecord

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
@pass_application
def list_(app: Application, output: Output, publisher: str | None, limit: int) -> None:
    """List publications, the oldest first.

    \b
    Examples:
      tocsin publication list
      tocsin publication list --publisher https://receiver.example/events -c error
    """
    chosen: list[PublicationRecord] = []
    which: list[str] | list[None] = _named(app, publisher) if publisher else [None]
    for url in which:
        chosen += app.store.publications([url] if url else None, limit)
    output.rows(_COLUMNS, [tuple(_row(record).values()) for record in chosen[:limit]])


@publication.command()
@click.argument("publication_id", shell_complete=completion.publications)
@output_options
@pass_application
def show(app: Application, output: Output, publication_id: str) -> None:
    """Show one publication with its events.

    \b
    Example:
      tocsin publication show 5f0c
    """
    record, kept = app.store.publication(publication_id)
    events = [event.as_dict() for event in kept.events]
    lines = [f"{event.message_id} {event.event_type}" for event in kept.events]
    output.one({**_row(record), "events": Shown(events, "\n".join(lines))})


@publication.command()
@click.argument("publication_ids", nargs=-1, shell_complete=completion.publications)
@_publisher_option
@click.option("--all", "everything", is_flag=True, help="All publications.")
@pass_application
def replay(
    app: Application, publication_ids: tuple[str, ...], publisher: str | None, everything: bool
) -> None:
    """Have publications tried now, by the listeners that run.

    \b
    Examples:
      tocsin publication replay 5f0c
      tocsin publication replay --publisher https://receiver.example/events
    """
    now = app.clock()
    count = 0
    for which in _chosen(app, publication_ids, publisher, everything):
        count += app.store.replay_publications(now, **which)
    click.echo(f"{_counted(count)} due now. See: tocsin publication list")


@publication.command()
@click.argument("publication_ids", nargs=-1, shell_complete=completion.publications)
@_publisher_option
@click.option("--all", "everything", is_flag=True, help="All publications.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_application
def purge(
    app: Application,
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
    chosen = _chosen(app, publication_ids, publisher, everything)
    if not yes:
        of = f" for {mask_url(publisher)}" if publisher else ""
        what = _counted(len(chosen)) if publication_ids else f"all publications{of}"
        click.confirm(f"Delete {what} for good, events included?", abort=True, err=True)
    count = sum(app.store.purge_publications(**which) for which in chosen)
    click.echo(f"{_counted(count)} deleted.")


def _chosen(
    app: Application, publication_ids: tuple[str, ...], publisher: str | None, everything: bool
) -> list[dict[str, Any]]:
    """Which ones are meant, each as the store is asked for it. Raises before any is touched."""
    given = bool(publication_ids) + bool(publisher) + everything
    if not given:
        raise InvalidValue(_WHICH)
    if given > 1:
        raise InvalidValue(f"ids, --publisher and --all exclude each other. {_WHICH}")
    if publisher:
        return [{"publisher": url} for url in _named(app, publisher)]
    if everything:
        return [{}]
    records = [app.store.publication(one)[0] for one in publication_ids]
    return [{"publication_id": record.publication_id} for record in records]


def _named(app: Application, publisher: str) -> list[str]:
    """The publishers that are meant by a URL, which may be one that is shown without secrets."""
    waiting = app.store.waiting_publishers()
    named = [url for url in waiting if publisher in {url, mask_url(url)}]
    if not named:
        hint = did_you_mean(publisher, [mask_url(url) for url in waiting])
        raise InvalidValue(f"nothing waits for {mask_url(publisher)}.{hint}")
    return named


def _row(record: PublicationRecord) -> dict[str, Any]:
    return {
        "publication_id": record.publication_id,
        "publisher": mask_url(record.publisher),
        "events": record.size,
        "attempts": record.attempts,
        "created_at": times.shown(record.created_at),
        "due_at": times.shown(record.due_at),
        "error": record.error,
    }


def _counted(count: int) -> str:
    return f"{count} publication{'' if count == 1 else 's'}"
