"""`tocsin target`: receivers under a name, and whether they can be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from pipeline.cli import completion, entries, target_options
from pipeline.cli.base import EXIT_FAILED, fail, pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.desk import Desk
from pipeline.past import reference

_KIND = "target"
_OPTION_COLUMNS = ("option", "holds", "needed", "secret")
_TAKEN = ("delivered", "in-progress")


def _guards(context: click.Context, parameter: click.Parameter, given: Sequence[str]) -> Any:
    """What was given as a mapping; None where nothing was."""
    parted = [each.partition("=") for each in given]
    for key, equals, value in parted:
        if not (equals and value.strip()):
            raise click.BadParameter(
                f"{key!r} has no value. Give KEY=VALUE, such as storm=20/60s."
            )
    found = {key.strip(): value.strip() for key, _, value in parted}
    return {key: int(v) if v.isdecimal() else v for key, v in found.items()} or None


def _properties(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option(
            "--set",
            "options",
            multiple=True,
            metavar="KEY=VALUE",
            shell_complete=completion.target_options,
            help="An option of its type; `tocsin target types TYPE` tells which there are. @FILE "
            "takes the value from a file, @- from standard input: so nobody sees a secret in the "
            "list of processes. May be given several times.",
        ),
        click.option(
            "--filter",
            metavar="NAME",
            shell_complete=completion.entries("filter"),
            help="The filter that a notification has to pass.",
        ),
        click.option(
            "--fallback",
            metavar="NAME",
            shell_complete=completion.entries("target"),
            help="The target that takes what this one could not deliver.",
        ),
        click.option(
            "--guard",
            "guards",
            multiple=True,
            metavar="KEY=VALUE",
            callback=_guards,
            help="How it is spared: concurrency=2, rate-limit=10/1m, storm=20/60s or storm=off, "
            "retry-delays=10s,5m,2h. May be given several times; all that were given before are "
            "replaced.",
        ),
    )
    command = entries.entry_options(command)
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def target() -> None:
    """Make, change and try targets: receivers under a name.

    An alarm tells a target by the action target:NAME, a group and a matcher by its name.
    """


@target.command()
@click.argument("name")
@click.option(
    "--type",
    "type_",
    required=True,
    metavar="TYPE",
    shell_complete=completion.target_types,
    help="What sort of receiver it is; `tocsin target types` tells which there are.",
)
@_properties
@output_options
@pass_desk
def create(
    desk: Desk,
    output: Output,
    name: str,
    type_: str,
    options: Sequence[str],
    **properties: Any,
) -> None:
    """Make a target.

    \b
    Examples:
      tocsin target create ci --type jenkins --set url=https://ci.example --set job=rebuild \\
          --set user=tocsin --set api-token=@/etc/tocsin/ci-token
      tocsin target create old --type aodh --set url=https://receiver.example/hook --filter urgent
    """
    document = {"name": name, "type": type_, **target_options.read(type_, options)}
    entries.create(desk, output, _KIND, {**document, **entries.given(properties)})


@target.command()
@entries.change_options(_KIND)
@_properties
@output_options
@pass_desk
def update(
    desk: Desk,
    output: Output,
    name: str,
    unset: Sequence[str],
    digest: str | None,
    options: Sequence[str],
    **properties: Any,
) -> None:
    """Change a target: what is given changes, all else stays.

    Secrets that are not given stay, too.

    \b
    Examples:
      tocsin target update ci --set job=rebuild-all --unset comment
      tocsin target update mail-to-root --disable
    """
    type = str(desk.entries.found(_KIND, name)["type"])
    changes = target_options.read(type, options) if options else {}
    entries.update(
        desk, output, _KIND, name, {**changes, **entries.given(properties)}, unset, digest
    )


entries.add_common(
    target, _KIND, ("name", "type", "filter", "fallback", "disable", "origin", "comment")
)


@target.command()
@click.argument(
    "receiver", metavar="NAME|ACTION|RECEIVER", shell_complete=completion.entries(_KIND)
)
@pass_desk
def enable(desk: Desk, receiver: str) -> None:
    """Tell again who was disabled, or is left alone because it failed.

    NAME is a target's; an action is as the alarm has it, or as `tocsin status` shows it, as a
    receiver is. What became a dead letter meanwhile is delivered by `tocsin dead-letter replay`.
    A target that was disabled by --disable is enabled by `tocsin target update NAME --enable`.

    \b
    Examples:
      tocsin target enable ci
      tocsin target enable https://receiver.example:8443
    """
    found = desk.targets.enable(receiver)
    became = "is told again" if found["enabled"] else "was neither disabled nor spared"
    click.echo(f"{found['receiver']} {became}.")


@target.command()
@click.argument("type_", metavar="[TYPE]", required=False, shell_complete=completion.target_types)
@output_options
@pass_desk
def types(desk: Desk, output: Output, type_: str | None) -> None:
    """List the types of targets, or the options of one.

    \b
    Examples:
      tocsin target types
      tocsin target types jenkins
    """
    if type_ is None:
        output.rows(("type",), [(name,) for name in desk.targets.types()])
        return
    options = desk.targets.options(type_)
    output.rows(_OPTION_COLUMNS, [[each[name] for name in _OPTION_COLUMNS] for each in options])


@target.command()
@click.argument("name", shell_complete=completion.entries(_KIND))
@click.option(
    "--event",
    "event_id",
    metavar="FILE|ID",
    shell_complete=completion.events,
    help="Tell of this, in place of a test message: a file with a captured or normalised event, "
    "an event in the archive, or a past delivery.",
)
@output_options
@pass_desk
def test(desk: Desk, output: Output, name: str, event_id: str | None) -> None:
    """Tell a target something now, and show what came of it.

    Exits 1 if it was not taken. Filters, and whether it is disabled, are not looked at; nothing
    is recorded or tried again.

    \b
    Examples:
      tocsin target test mail
      tocsin target test mail --event captured.jsonl
      tocsin target test mail --event 4fd53957
    """
    of = reference(event_id) if event_id is not None else None
    tried = desk.targets.test(name, of)
    output.one(tried)
    if tried["outcome"] not in _TAKEN:
        fail(f"Error: {name} did not take it: {tried['reason']}", EXIT_FAILED)
