"""`tocsin send`: notifications of people's own, from a script or by hand."""

from __future__ import annotations

from collections.abc import Sequence

import click

from pipeline.cli import completion
from pipeline.cli.base import EXIT_FAILED, fail, pass_desk
from pipeline.cli.templates import given_fields
from pipeline.desk import Desk
from pipeline.severity import WORDS


@click.command()
@click.argument("kind_id", metavar="KIND", shell_complete=completion.kinds)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=VALUE",
    help="One of the kind's fields. May be given several times.",
)
@click.option(
    "--severity", type=click.Choice(WORDS), help="How severe it is; without it, as the kind says."
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.receivers,
    help="Tell this target or group only, whatever matchers and policy say. May be given several"
    " times.",
)
@pass_desk
def send(
    desk: Desk,
    kind_id: str,
    fields: Sequence[str],
    severity: str | None,
    targets: Sequence[str],
) -> None:
    """Send a notification. It goes where the matchers say, as the policy of its kind allows.

    The fields are checked against the kind's contract: `tocsin kind show KIND` has it. A running
    `tocsin run` or `tocsin notifier` delivers. Exits 0 if somebody is told, 1 if nobody is, 2 if
    the fields are wrong.

    \b
    Examples:
      tocsin send message --field text="Import done: 4212 rows"
      tocsin send backup --severity error --field job=nightly --field status=failed \\
          --field size=17GiB --field duration="12m 34s"
      tocsin send maintenance --target mail-admins --field summary="New switches" \\
          --field starts_at=2026-03-07T20:00:00Z
    """
    sent = desk.notifications.send(kind_id, given_fields(fields), severity, targets)
    if not sent["actions"]:
        fail(f"Nobody is told: {sent['nobody']}.", EXIT_FAILED)
    click.echo(f"Sent {sent['notification_id']} to:")
    for action in sent["actions"]:
        click.echo(f"  {action}")
    click.echo("See what becomes of it with: tocsin delivery list")
