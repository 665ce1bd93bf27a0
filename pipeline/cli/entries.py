"""What the commands `target`, `group`, `filter` and `matcher` share.

List, show and delete, and how an entry looks. Each of the four modules adds its options for create
and update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from pipeline.cli import completion
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk, Document

_EXAMPLES = {"target": "mail", "group": "admins", "filter": "urgent", "matcher": "nights"}


def entry_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every entry has."""
    options = (
        click.option("--comment", metavar="TEXT", help="What it is for, for people."),
        click.option(
            "--disable/--enable",
            default=None,
            help="A disabled one does nothing, and says nothing.",
        ),
    )
    return _with(command, options)


def change_options(kind: str) -> Callable[..., Any]:
    """The argument and options of an update."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        options = (
            click.argument("name", shell_complete=completion.entries(kind)),
            click.option(
                "--unset",
                multiple=True,
                metavar="PROPERTY",
                help="Back to what it is by default. May be given several times.",
            ),
            click.option(
                "--digest",
                metavar="DIGEST",
                help="Only if the entry still has this digest, which `show` tells.",
            ),
        )
        return _with(command, options)

    return decorate


def texts(name: str, parameter: str, metavar: str, help: str, **more: Any) -> Any:
    """An option that may be given several times; once and empty, it clears its list."""
    said = f"{help} May be given several times; '' for none."
    return click.option(name, parameter, multiple=True, metavar=metavar, help=said, **more)


def given(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of the options, by property."""
    return {
        name.replace("_", "-"): [] if value == ("",) else _plain(value)
        for name, value in properties.items()
        if value not in (None, ())
    }


def create(desk: Desk, output: Output, kind: str, properties: Mapping[str, Any]) -> None:
    """Make an entry, and show it."""
    output.one(details(desk.entries.create(kind, properties)))


def update(
    desk: Desk,
    output: Output,
    kind: str,
    name: str,
    changes: Mapping[str, Any],
    unset: Sequence[str],
    digest: str | None,
) -> None:
    """Change an entry, and show it."""
    output.one(details(desk.entries.update(kind, name, changes, unset, digest)))


def add_common(group: click.Group, kind: str, columns: Sequence[str]) -> None:
    """Give a group the commands list, show and delete. `columns` are properties, for the list."""
    name = _EXAMPLES[kind]
    argument = click.argument("name", shell_complete=completion.entries(kind))

    def list_(desk: Desk, output: Output) -> None:
        output.rows(columns, [_row(each, columns) for each in desk.entries.listed(kind)])

    def show(desk: Desk, output: Output, name: str) -> None:
        output.one(details(desk.entries.found(kind, name)))

    def delete(desk: Desk, name: str, digest: str | None) -> None:
        desk.entries.delete(kind, name, digest)

    list_.__doc__ = f"""List all {kind}s, by name.

    \b
    Examples:
      tocsin {kind} list
      tocsin {kind} list -f value -c name
    """
    show.__doc__ = f"""Show everything about a {kind}; secrets as ***.

    \b
    Examples:
      tocsin {kind} show {name}
      tocsin {kind} show {name} -f yaml
    """
    delete.__doc__ = f"""Delete a {kind}. One that is still used stays; a built-in is reset.

    \b
    Example:
      tocsin {kind} delete {name}
    """
    digest = click.option("--digest", metavar="DIGEST", help="Only if it still has this digest.")
    group.command("list")(output_options(pass_desk(list_)))
    group.command("show")(argument(output_options(pass_desk(show))))
    group.command("delete")(argument(digest(pass_desk(delete))))


def details(entry: Document) -> dict[str, Any]:
    """An entry as `show` prints it."""
    return {name: _shown(value) for name, value in entry.items()}


def _row(entry: Document, columns: Sequence[str]) -> list[Any]:
    properties = {"mode": "all", **entry}
    return [_shown(properties.get(column, "")) for column in columns]


def _shown(value: Any) -> Any:
    match value:
        case Mapping():
            return Shown(value, "\n".join(f"{name}: {each}" for name, each in value.items()))
        case list() | tuple():
            return Shown(list(value), "\n".join(map(str, value)))
        case _:
            return value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _with(command: Callable[..., Any], options: Sequence[Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
