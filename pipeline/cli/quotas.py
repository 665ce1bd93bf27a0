"""`tocsin alarm quota`: how many alarms a project may have (alarms 23, 26)."""

from __future__ import annotations

import click

from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.desk import Desk, Document
from pipeline.store.quotas import ALARMS


@click.group()
def quota() -> None:
    """Look at how many alarms a project may have, or say it."""


@quota.command()
@click.option("--project", metavar="ID", help="The project; your own, if it is not given.")
@output_options
@pass_desk
def show(desk: Desk, output: Output, project: str | None) -> None:
    """Show how many alarms a project may have; -1 for any number.

    \b
    Example:
      tocsin alarm quota show --project p-1
    """
    _show(output, desk.quotas.found(project))


@quota.command("set")
@click.argument("project")
@click.option(
    "--alarm", "alarms", type=int, metavar="COUNT", help="How many alarms; -1 for any number."
)
@output_options
@pass_desk
def set_quota(desk: Desk, output: Output, project: str, alarms: int | None) -> None:
    """Say how many alarms a project may have.

    \b
    Examples:
      tocsin alarm quota set p-1 --alarm 100
      tocsin alarm quota set p-1 --alarm -1
    """
    _show(output, desk.quotas.update(project, {} if alarms is None else {ALARMS: alarms}))


def _show(output: Output, quotas: Document) -> None:
    output.one({each["resource"]: each["limit"] for each in quotas["quotas"]})
