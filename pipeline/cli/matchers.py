"""`tocsin matcher`: which notifications go to which targets and groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from pipeline.cli import completion, entries
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.desk import Desk
from pipeline.severity import WORDS

_KIND = "matcher"

_OPTIONS = (
    entries.texts(
        "--match-field",
        "match_field",
        "RULE",
        "A field has one of these values, exact:NAME=VALUE,VALUE, or a value with a part like"
        " this, regex:NAME=PATTERN.",
        shell_complete=completion.match_fields,
    ),
    entries.texts(
        "--match-severity",
        "match_severity",
        "WORD",
        f"It is as severe as this, of {', '.join(WORDS)}; one is enough.",
    ),
    entries.texts(
        "--match-calendar",
        "match_calendar",
        "TIME",
        "It is told at this time, as mon-fri 9-17 or 8:00-15:30; one is enough.",
    ),
    click.option(
        "--mode", type=click.Choice(["all", "any"]), help="Whether all rules must hold, or any."
    ),
    click.option(
        "--invert-match/--no-invert-match",
        default=None,
        help="Take what the rules do not hold for.",
    ),
    entries.texts(
        "--target",
        "target",
        "NAME",
        "A target or group that it goes to.",
        shell_complete=completion.receivers,
    ),
)


def _properties(command: Callable[..., Any]) -> Callable[..., Any]:
    command = entries.entry_options(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def matcher() -> None:
    """Make and change matchers: which notifications go where.

    A matcher looks at what the policy of its kind lets through: of alarms, all. One without
    rules takes everything. `tocsin route explain` shows what a matcher makes of a notification.
    """


@matcher.command()
@click.argument("name")
@_properties
@output_options
@pass_desk
def create(desk: Desk, output: Output, name: str, **properties: Any) -> None:
    """Make a matcher.

    Fields are kind, severity, alarm_name, event_type, previous, current, project_id and the
    event's traits, as traits.NAME or by their bare name.

    \b
    Examples:
      tocsin matcher create nights --match-calendar 'mon-fri 22-6' --match-calendar sat,sun \\
          --match-severity critical --target phone
      tocsin matcher create storage --match-field 'regex:host=^storage-' \\
          --match-field exact:event_type=disk.full,disk.failed --target admins
      tocsin matcher create everything --target mail
    """
    entries.create(desk, output, _KIND, {"name": name, **entries.given(properties)})


@matcher.command()
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
    """Change a matcher: what is given changes, all else stays.

    \b
    Examples:
      tocsin matcher update nights --match-severity critical --match-severity error
      tocsin matcher update nights --unset match-severity --disable
      tocsin matcher update default-matcher --target mail
    """
    entries.update(desk, output, _KIND, name, entries.given(properties), unset, digest)


entries.add_common(
    matcher,
    _KIND,
    (
        *("name", "match-field", "match-severity", "match-calendar", "mode", "invert-match"),
        *("target", "disable", "origin", "comment"),
    ),
)
