"""`tocsin dead-letter`: deliveries that were given up, until a person decides (delivery 5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from pipeline.cli import completion, deliveries, times
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.desk import Desk, Document
from pipeline.desk.deliveries import check_dead
from pipeline.desk.kept import DeliveryFilter
from pipeline.errors import InvalidValue

_WHICH = "Say which: give ids, or --action, --since or --until, or --all."


@click.group("dead-letter")
def dead_letter() -> None:
    """Look at deliveries that were given up; replay or purge.

    A delivery is given up when its receiver refused it, or when every retry failed.
    """


@dead_letter.command("list")
@deliveries.filter_options
@output_options
@pass_desk
def list_(desk: Desk, output: Output, limit: int, **filters: Any) -> None:
    """List dead letters, the newest first.

    \b
    Examples:
      tocsin dead-letter list
      tocsin dead-letter list --alarm "user deleted" -c delivery_id -f value
    """
    found = desk.dead_letters.search(DeliveryFilter(**filters), limit)
    output.rows(deliveries.COLUMNS, map(deliveries.row, found.items))


@dead_letter.command()
@click.argument("delivery_id", shell_complete=completion.dead_letters)
@output_options
@pass_desk
def show(desk: Desk, output: Output, delivery_id: str) -> None:
    """Show one dead letter with all its attempts.

    \b
    Example:
      tocsin dead-letter show 0b9a6e0e-7d1c-4c43-93a6-1c4a1c9f2d11
    """
    output.one(deliveries.details(desk.dead_letters.find(delivery_id)))


@dead_letter.command()
@click.argument("delivery_ids", nargs=-1, shell_complete=completion.dead_letters)
@click.option(
    "--action",
    metavar="URL",
    callback=deliveries.whole_action,
    help="All to this action, as the alarm has it.",
)
@click.option("--since", type=times.MOMENT, metavar="TIME", help="All that died since then.")
@click.option("--until", type=times.MOMENT, metavar="TIME", help="All that died until then.")
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@pass_desk
def replay(
    desk: Desk,
    delivery_ids: tuple[str, ...],
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    everything: bool,
) -> None:
    """Deliver dead letters again, each with a new schedule of retries.

    An action that was disabled is enabled again. A receiver sees the same webhook-id as before.
    TIME is as 2026-01-02T12:00:00Z, or an age: 15m, 2h, 3d.

    \b
    Examples:
      tocsin dead-letter replay 0b9a6e0e-7d1c-4c43-93a6-1c4a1c9f2d11
      tocsin dead-letter replay --action https://receiver.example/hook --since 2h
      tocsin dead-letter replay --all
    """
    _check_which(delivery_ids, bool(action or since or until), everything)
    count = desk.dead_letters.replay(_which(delivery_ids, action, since=since, until=until))
    click.echo(f"{_counted(count)} due again. See: tocsin delivery list --state pending")


@dead_letter.command()
@click.argument("delivery_ids", nargs=-1, shell_complete=completion.dead_letters)
@click.option(
    "--action",
    metavar="URL",
    callback=deliveries.whole_action,
    help="All to this action, as the alarm has it.",
)
@click.option("--until", type=times.MOMENT, metavar="TIME", help="All that died until then.")
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_desk
def purge(
    desk: Desk,
    delivery_ids: tuple[str, ...],
    action: str | None,
    until: datetime | None,
    everything: bool,
    yes: bool,
) -> None:
    """Delete dead letters for good.

    TIME is as 2026-01-02T12:00:00Z, or an age: 15m, 2h, 3d.

    \b
    Examples:
      tocsin dead-letter purge 0b9a6e0e-7d1c-4c43-93a6-1c4a1c9f2d11
      tocsin dead-letter purge --until 30d --yes
    """
    _check_which(delivery_ids, bool(action or until), everything)
    for delivery_id in delivery_ids:
        check_dead(desk.deliveries.find(delivery_id))
    if not yes:
        click.confirm("Delete these dead letters for good?", abort=True, err=True)
    count = desk.dead_letters.purge(_which(delivery_ids, action, until=until))
    click.echo(f"{_counted(count)} deleted.")


def _check_which(delivery_ids: tuple[str, ...], bounded: bool, everything: bool) -> None:
    if not (delivery_ids or bounded or everything):
        raise InvalidValue(_WHICH)
    if bool(delivery_ids) + bounded + everything > 1:
        raise InvalidValue(f"ids, bounds and --all exclude each other. {_WHICH}")


def _which(
    delivery_ids: tuple[str, ...], action: str | None, **times: datetime | None
) -> Document:
    """What the desk is asked for."""
    if delivery_ids:
        return {"ids": list(delivery_ids)}
    bounds = {name: moment.isoformat() for name, moment in times.items() if moment}
    if action:
        bounds["action"] = action
    return bounds or {"all": True}


def _counted(count: int) -> str:
    return f"{count} dead letter{'' if count == 1 else 's'}"
