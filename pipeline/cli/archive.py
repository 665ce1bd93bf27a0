"""`tocsin event`: the events in the archive, that is, those sent to a sink `store://`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from pipeline.alarms import queries
from pipeline.cli import completion, times
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk, Document
from pipeline.desk.events import event_of
from pipeline.errors import InvalidValue
from pipeline.event import Event, TraitValue
from pipeline.store.archive import EventFilter, TraitFilter, trait_filters
from pipeline.times import plain

_COLUMNS = ("message_id", "event_type", "generated", "traits")
_TYPE_COLUMNS = ("event_type", "events", "first", "last")
_TRAIT_COLUMNS = ("name", "type", "events", "values", "example")
_VALUE_COLUMNS = ("value", "events")
_EXAMPLE = "Write --trait 'host=compute-1' or --trait 'vcpus>=integer::4'."


def _time_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a time is chosen."""
    since = click.option(
        "--since", type=times.MOMENT, help="Generated then or later: a time, or an age as 2h."
    )
    until = click.option(
        "--until", type=times.MOMENT, help="Generated then or earlier: a time, or an age as 15m."
    )
    return since(until(command))


@click.group()
def event() -> None:
    """Look at the events in the archive.

    Those are kept that a sink with the publisher store:// in the pipelines file takes, for as long
    as the settings `retention.events_…` say.
    """


def _explain_empty(desk: Desk) -> None:
    """Who finds nothing may not know that nothing is kept unless that is asked for."""
    if not desk.events.search(EventFilter(), 1).items:
        click.echo(
            "The archive is empty. Add the publisher store:// to a sink of the pipelines file.",
            err=True,
        )


@event.command("list")
@click.option(
    "--type",
    "event_type",
    default="*",
    metavar="GLOB",
    shell_complete=completion.event_types,
    help="Only of this type; * and ? stand for any letters.",
)
@_time_options
@click.option(
    "--trait",
    "traits",
    multiple=True,
    metavar="NAME=VALUE",
    help="Only with this trait. Operators: = != < <= > >=. May be given several times.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many."
)
@click.option(
    "--marker", metavar="MESSAGE_ID", help="Go on after this event, the last that was shown."
)
@output_options
@pass_desk
def list_(
    desk: Desk,
    output: Output,
    traits: Sequence[str],
    limit: int,
    marker: str | None,
    **wanted: Any,
) -> None:
    """List events, the last generated first.

    A value is compared as what the trait is: 4 is a number to a number, a text to a text. To say
    which, write string::, integer::, float::, boolean:: or datetime:: before it.

    \b
    Examples:
      tocsin event list --type 'compute.instance.*' --since 2h
      tocsin event list --trait project_id=f7a1 --trait 'vcpus>=4'
      tocsin event list --trait 'created_at<datetime::2026-01-02T00:00:00Z' -f json
      tocsin event list --limit 50 --marker 4fd53957-38d6-4ed4-9d7d-05924e45b7a2
    """
    chosen = EventFilter(traits=tuple(_trait_filters(traits)), **wanted)
    found = desk.events.search(chosen, limit, marker)
    output.rows(_COLUMNS, [_row(event_of(one)) for one in found.items])
    if not found.items:
        _explain_empty(desk)


@event.command()
@click.argument("message_id", shell_complete=completion.events)
@output_options
@pass_desk
def show(desk: Desk, output: Output, message_id: str) -> None:
    """Show one event. A unique beginning of its id is enough.

    \b
    Examples:
      tocsin event show 4fd53957
      tocsin event show 4fd53957 -c raw -f value
    """
    found = desk.events.find(message_id)
    one, raw = event_of(found), found["raw"]
    output.one(
        {
            "message_id": one.message_id,
            "event_type": one.event_type,
            "generated": times.shown(one.generated),
            "received_at": times.told(found["received_at"]),
            "traits": Shown(
                one.as_dict()["traits"],
                "\n".join(f"{k} ({_kind(one, k)}): {_text(v)}" for k, v in one.values.items()),
            ),
            "raw": Shown(raw, json.dumps(raw, indent=2) if raw else ""),
        }
    )


@event.command()
@click.argument("glob", default="*", shell_complete=completion.event_types)
@_time_options
@output_options
@pass_desk
def types(
    desk: Desk, output: Output, glob: str, since: datetime | None, until: datetime | None
) -> None:
    """List the types of the events, with how many there are.

    \b
    Examples:
      tocsin event types
      tocsin event types 'compute.*' --since 1d
    """
    found = desk.events.types(EventFilter(glob, since, until))
    output.rows(
        _TYPE_COLUMNS,
        [
            (one["event_type"], one["events"], times.told(one["first"]), times.told(one["last"]))
            for one in found
        ],
    )
    if not found:
        _explain_empty(desk)


@event.command()
@click.argument("event_type", shell_complete=completion.event_types)
@click.argument("name", required=False)
@_time_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1_000,
    show_default=True,
    help="Look at the newest so many events.",
)
@output_options
@pass_desk
def traits(
    desk: Desk,
    output: Output,
    event_type: str,
    name: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> None:
    """List the traits of the newest events of a type.

    With NAME, that trait's values.

    \b
    Examples:
      tocsin event traits compute.instance.create.end
      tocsin event traits compute.instance.create.end host --since 1d
    """
    found = desk.events.traits(event_type, name, since, until, limit)
    if name is None:
        output.rows(_TRAIT_COLUMNS, map(_trait_row, found))
    else:
        output.rows(
            _VALUE_COLUMNS,
            [(_told(each["type"], each["value"]), each["events"]) for each in found],
        )


def _trait_filters(texts: Iterable[str]) -> Iterable[TraitFilter]:
    """What the --trait options ask for, in the grammar of an alarm's query."""
    for text in texts:
        yield from trait_filters(_conditions(text))


def _conditions(text: str) -> Sequence[Mapping[str, str]]:
    try:
        return queries.conditions(text)
    except InvalidValue as error:
        # Its example is of --query; the traits of an event are asked for in fewer words.
        reason = str(error).partition(" Write --query")[0]
        raise InvalidValue(f"--trait: {reason} {_EXAMPLE}", "trait") from error


def _row(one: Event) -> tuple[Any, ...]:
    lines = "\n".join(f"{name}: {_text(value)}" for name, value in one.values.items())
    plain = {name: _plain(value) for name, value in one.values.items()}
    return one.message_id, one.event_type, times.shown(one.generated), Shown(plain, lines)


def _trait_row(trait: Document) -> tuple[Any, ...]:
    example = _told(trait["type"], trait["example"])
    return trait["name"], trait["type"], trait["events"], trait["values"], example


def _kind(one: Event, name: str) -> str:
    return one.types[name].name.lower()


def _plain(value: TraitValue) -> str | int | float | None:
    return plain(value) if isinstance(value, datetime) else value


def _text(value: TraitValue) -> str:
    return str(times.shown(value)) if isinstance(value, datetime) else str(value)


def _told(type_: str, value: Any) -> str:
    """A trait's value in a document, for people."""
    match type_:
        case "datetime":
            return str(times.told(value))
        case "float":
            return str(float(value))
        case _:
            return str(value)
