"""`tocsin group`: several targets under one name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from pipeline.cli import completion, entries
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.desk import Desk

_KIND = "group"


def _properties(command: Callable[..., Any]) -> Callable[..., Any]:
    targets = entries.texts(
        "--target",
        "target",
        "NAME",
        "A target of it.",
        shell_complete=completion.entries("target"),
    )
    filter = click.option(
        "--filter",
        metavar="NAME",
        shell_complete=completion.entries("filter"),
        help="The filter that a notification has to pass.",
    )
    command = entries.entry_options(command)
    for option in (filter, targets):
        command = option(command)
    return command


@click.group()
def group() -> None:
    """Make and change groups: several targets under one name.

    An alarm tells a group by the action group:NAME, a matcher by its name.
    """


@group.command()
@click.argument("name")
@_properties
@output_options
@pass_desk
def create(desk: Desk, output: Output, name: str, **properties: Any) -> None:
    """Make a group.

    \b
    Example:
      tocsin group create admins --target mail --target phone --filter urgent
    """
    entries.create(desk, output, _KIND, {"name": name, **entries.given(properties)})


@group.command()
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
    **properties: Any,
) -> None:
    """Change a group: what is given changes, all else stays.

    \b
    Examples:
      tocsin group update admins --target mail            # mail alone
      tocsin group update admins --unset filter
    """
    entries.update(desk, output, _KIND, name, entries.given(properties), unset, digest)


entries.add_common(group, _KIND, ("name", "target", "filter", "disable", "comment"))
