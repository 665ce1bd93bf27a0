"""`tocsin dead-letter`: deliveries that were given up, until a person decides (delivery 5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from pipeline.cli import completion, deliveries, times
from pipeline.cli.base import Application, pass_application
from pipeline.cli.output import Output, output_options
from pipeline.errors import InvalidValue, NotFound

_WHICH = "Say which: give ids, or --action, --since or --until, or --all."


@click.group("dead-letter")
def dead_letter() -> None:
    """Look at deliveries that were given up; replay or purge.

    A delivery is given up when its receiver refused it, or when every retry failed.
    """


@dead_letter.command("list")
@deliveries.filter_options
@output_options
@pass_application
def list_(app: Application, output: Output, **filters: Any) -> None:
    """List dead letters, the newest first.

    \b
    Examples:
      tocsin dead-letter list
      tocsin dead-letter list --alarm "user deleted" -c delivery_id -f value
    """
    records = deliveries.chosen(app, "dead", **filters)
    output.rows(deliveries.COLUMNS, [deliveries.row(record) for record in records])


@dead_letter.command()
@click.argument("delivery_id", shell_complete=completion.dead_letters)
@output_options
@pass_application
def show(app: Application, output: Output, delivery_id: str) -> None:
    """Show one dead letter with all its attempts.

    \b
    Example:
      tocsin dead-letter show 0b9a6e0e-7d1c-4c43-93a6-1c4a1c9f2d11
    """
    record, delivery, attempts = app.store.delivery(delivery_id)
    if record.state != "dead":
        raise NotFound(
            f"Delivery {delivery_id} is {record.state}, not dead. See: "
            f"tocsin delivery show {delivery_id}"
        )
    output.one(deliveries.details(record, delivery, attempts))


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
@pass_application
def replay(
    app: Application,
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
    now = app.clock()
    if delivery_ids:
        for delivery_id in delivery_ids:
            _check_dead(app, delivery_id)
        count = sum(app.store.replay_dead(now, delivery_id=one) for one in delivery_ids)
    else:
        count = app.store.replay_dead(now, action=action, since=since, until=until)
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
@pass_application
def purge(
    app: Application,
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
        _check_dead(app, delivery_id)
    if not yes:
        click.confirm("Delete these dead letters for good?", abort=True, err=True)
    if delivery_ids:
        count = sum(app.store.purge_dead(delivery_id=one) for one in delivery_ids)
    else:
        count = app.store.purge_dead(action=action, until=until)
    click.echo(f"{_counted(count)} deleted.")


def _check_which(delivery_ids: tuple[str, ...], bounded: bool, everything: bool) -> None:
    if not (delivery_ids or bounded or everything):
        raise InvalidValue(_WHICH)
    if bool(delivery_ids) + bounded + everything > 1:
        raise InvalidValue(f"ids, bounds and --all exclude each other. {_WHICH}")


def _check_dead(app: Application, delivery_id: str) -> None:
    record, _, _ = app.store.delivery(delivery_id)
    if record.state != "dead":
        raise InvalidValue(f"Delivery {delivery_id} is {record.state}, not dead.")


def _counted(count: int) -> str:
    return f"{count} dead letter{'' if count == 1 else 's'}"
