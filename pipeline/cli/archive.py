"""`tocsin event`: the events in the archive, that is, those sent to a sink `store://`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from pipeline.cli import completion, queries, times
from pipeline.cli.base import Application, pass_application
from pipeline.cli.output import Output, Shown, output_options
from pipeline.errors import InvalidValue, NotFound
from pipeline.event import Event, TraitValue
from pipeline.registry import did_you_mean, one_of
from pipeline.store.archive import EventFilter, TraitFilter
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


def _explain_empty(app: Application) -> None:
    """Who finds nothing may not know that nothing is kept unless that is asked for."""
    if not app.store.events(EventFilter(), 1):
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
@pass_application
def list_(
    app: Application,
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
    found = app.store.events(chosen, limit, marker)
    output.rows(_COLUMNS, [_row(one) for one in found])
    if not found:
        _explain_empty(app)


@event.command()
@click.argument("message_id", shell_complete=completion.events)
@output_options
@pass_application
def show(app: Application, output: Output, message_id: str) -> None:
    """Show one event. A unique beginning of its id is enough.

    \b
    Examples:
      tocsin event show 4fd53957
      tocsin event show 4fd53957 -c raw -f value
    """
    one, received_at = app.store.archived_event(message_id)
    raw = dict(one.raw)
    output.one(
        {
            "message_id": one.message_id,
            "event_type": one.event_type,
            "generated": times.shown(one.generated),
            "received_at": times.shown(received_at),
            "traits": Shown(
                one.as_dict()["traits"],
                "\n".join(f"{k} ({_kind(one, k)}): {_text(v)}" for k, v in one.values.items()),
            ),
            "raw": Shown(raw, json.dumps(raw, indent=2, default=str) if raw else ""),
        }
    )


@event.command()
@click.argument("glob", default="*", shell_complete=completion.event_types)
@_time_options
@output_options
@pass_application
def types(
    app: Application, output: Output, glob: str, since: datetime | None, until: datetime | None
) -> None:
    """List the types of the events, with how many there are.

    \b
    Examples:
      tocsin event types
      tocsin event types 'compute.*' --since 1d
    """
    rows = app.store.event_types(EventFilter(glob, since, until))
    output.rows(
        _TYPE_COLUMNS,
        [(name, n, times.shown(first), times.shown(last)) for name, n, first, last in rows],
    )
    if not rows:
        _explain_empty(app)


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
@pass_application
def traits(
    app: Application,
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
    found = app.store.events(EventFilter(event_type, since, until), limit)
    if not found:
        raise NotFound(_none_of(app, event_type))
    counted = _counted(found)
    if name is None:
        output.rows(_TRAIT_COLUMNS, [_trait_row(key, seen) for key, seen in counted.items()])
        return
    seen = {value: n for (key, _), values in counted.items() if key == name
            for value, n in values.items()}  # fmt: skip
    if not seen:
        known = sorted({key for key, _ in counted})
        raise NotFound(f"no {event_type} has the trait {name!r}. {one_of(name, known)}")
    most_first = sorted(seen.items(), key=lambda item: (-item[1], str(item[0])))
    output.rows(_VALUE_COLUMNS, [(_text(value), n) for value, n in most_first])


def _trait_filters(texts: Iterable[str]) -> Iterable[TraitFilter]:
    """What the --trait options ask for, in the grammar of an alarm's query."""
    for text in texts:
        for condition in _conditions(text):
            name = condition["field"].removeprefix("traits.")
            yield TraitFilter(name, condition["op"], condition["value"], condition["type"])


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


def _counted(found: Sequence[Event]) -> dict[tuple[str, str], Counter[TraitValue]]:
    """How often each value of each trait, told apart by its type, was seen."""
    counted: dict[tuple[str, str], Counter[TraitValue]] = {}
    for one in found:
        for name, value in one.values.items():
            counted.setdefault((name, _kind(one, name)), Counter())[value] += 1
    return dict(sorted(counted.items()))


def _trait_row(trait: tuple[str, str], seen: Counter[TraitValue]) -> tuple[Any, ...]:
    ((example, _),) = seen.most_common(1)
    return *trait, seen.total(), len(seen), _text(example)


def _none_of(app: Application, event_type: str) -> str:
    known = [one.event_type for one in app.store.event_types(EventFilter())]
    hint = did_you_mean(event_type, known) or " See which there are with: tocsin event types"
    return f"no event of type {event_type!r} is in the archive, or not in this time.{hint}"


def _kind(one: Event, name: str) -> str:
    return one.types[name].name.lower()


def _plain(value: TraitValue) -> str | int | float | None:
    return plain(value) if isinstance(value, datetime) else value


def _text(value: TraitValue) -> str:
    return str(times.shown(value)) if isinstance(value, datetime) else str(value)
