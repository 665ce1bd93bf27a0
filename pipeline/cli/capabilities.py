"""`tocsin capabilities`: what Aodh's API can do, as the client `aodh` shows it (alarms 26)."""

from __future__ import annotations

import click

from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.desk import Desk


@click.group()
def capabilities() -> None:
    """Look at what Aodh's API can do here."""


@capabilities.command("list")
@output_options
@pass_desk
def list_(desk: Desk, output: Output) -> None:
    """List what clients of Aodh can ask for.

    \b
    Example:
      tocsin capabilities list -f json
    """
    output.one(desk.capabilities())
