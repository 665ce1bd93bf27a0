"""`tocsin normalise` and `tocsin replay`: captured messages, tried out or taken in."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import click

from pipeline.app import Application
from pipeline.cli.base import EXIT_FAILED, fail, pass_application, pass_local
from pipeline.errors import InvalidValue
from pipeline.event import Event
from pipeline.listeners.replay.lines import Unreadable, lines
from pipeline.normalise import normalised_lines
from pipeline.store.documents import to_json


@click.command()
@click.option(
    "--definitions",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Definitions to try, in place of those in force.",
)
@click.argument("files", nargs=-1, type=click.File("rb"), metavar="[FILE]...")
@pass_application
def normalise(
    application: Application, definitions: Path | None, files: Sequence[BinaryIO]
) -> None:
    """Print the event that each line becomes, as lines of JSON. Nothing is stored.

    A line is a captured message ({"exchange", "routing_key", "properties", "body"}) or a bare
    message body; files may be gzipped, and - or none is standard input. A line that is no event
    prints as {"rejected": REASON, "line": N}. Exits 0 if none was rejected, else 1.

    \b
    Examples:
      tocsin normalise events.jsonl
      tocsin normalise --definitions my_definitions.yaml events.jsonl | jq .traits
    """
    normaliser = application.normaliser(definitions)
    any_rejected = False
    for file in files or [sys.stdin.buffer]:
        for number, result in normalised_lines(
            lines_of(file), normaliser, received_at=application.clock()
        ):
            if isinstance(result, Event):
                click.echo(to_json(result.as_dict()))
            else:
                any_rejected = True
                click.echo(to_json({"rejected": result.reason, "line": number}))
    if any_rejected:
        raise click.exceptions.Exit(EXIT_FAILED)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="FILE..."
)
@pass_local
def replay(application: Application, files: Sequence[str]) -> None:
    """Take captured messages in, as if they came from a bus now.

    Files are JSON Lines, gzipped or not: captured messages ({"exchange", "routing_key",
    "properties", "body"}) or bare message bodies; - is standard input. What fires is delivered by
    a running `tocsin run` or `tocsin notifier`. Replaying the same file again changes nothing: an
    alarm fires once on an event.

    \b
    Examples:
      tocsin replay captured.jsonl.gz
      zcat *.gz | tocsin replay -
    """
    tally, replayed = application.replay(files)
    click.echo(
        f"{replayed.messages} messages taken: {tally.fired} firings, {tally.rejected} rejected"
    )
    if tally.fired:
        click.echo("See them with: tocsin delivery list")
    if tally.rejected:
        click.echo("See why with: tocsin rejected list")
    if replayed.next:
        click.echo(f"Stopped; go on from {replayed.next}")
    if replayed.damaged:
        fail("\n".join(f"Error: {reason}" for reason in replayed.damaged), EXIT_FAILED)


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The file's lines, unzipped where it is gzip. Raises `InvalidValue` where it is damaged."""
    try:
        for line in lines(file.fileno(), lambda count: None):
            if line is not None:
                yield line
    except Unreadable as error:
        raise InvalidValue(f"{file.name}: {error}") from error
