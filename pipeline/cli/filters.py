"""`tocsin filter`: how severe a notification must be for a target or group to take it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from pipeline.cli import entries
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.desk import Desk
from pipeline.severity import RANKS

_KIND = "filter"


def _properties(command: Callable[..., Any]) -> Callable[..., Any]:
    least = click.option(
        "--min-severity",
        type=click.Choice(list(RANKS), case_sensitive=False),
        help="What is less severe does not pass. Low is a notice, moderate a warning.",
    )
    return least(entries.entry_options(command))


@click.group("filter")
def filter_() -> None:
    """Make and change filters: how severe a notification must be.

    A target or group with a filter takes no notification that is less severe.
    """


@filter_.command()
@click.argument("name")
@_properties
@output_options
@pass_desk
def create(desk: Desk, output: Output, name: str, **properties: Any) -> None:
    """Make a filter.

    \b
    Example:
      tocsin filter create urgent --min-severity error
    """
    entries.create(desk, output, _KIND, {"name": name, **entries.given(properties)})


@filter_.command()
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
    """Change a filter: what is given changes, all else stays.

    \b
    Example:
      tocsin filter update urgent --min-severity critical --unset comment
    """
    entries.update(desk, output, _KIND, name, entries.given(properties), unset, digest)


entries.add_common(filter_, _KIND, ("name", "min-severity", "disable", "comment"))
