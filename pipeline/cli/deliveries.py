"""`tocsin delivery`: what was told, to whom, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from pipeline.cli import completion, times
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk, Document
from pipeline.desk.choices import check_whole
from pipeline.desk.kept import DeliveryFilter
from pipeline.errors import InvalidValue
from pipeline.notification import OUTCOME_NAMES

STATES = ("pending", "delivered", "dead", "digested")
COLUMNS = (
    "delivery_id",
    "state",
    "attempts",
    "kind",
    "alarm_name",
    "action",
    "created_at",
    "due_at",
    "last_error",
)


def whole_action(_: Any, __: Any, action: str | None) -> str | None:
    """An action that deliveries are chosen by. Refused before anything is asked."""
    try:
        check_whole(action)
    except InvalidValue as error:
        raise click.BadParameter(str(error)) from error
    return action


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which deliveries are chosen from a list."""
    options = (
        click.option("--alarm", metavar="ALARM", shell_complete=completion.alarms,
                     help="Only of this alarm: its id or name."),
        click.option("--event", metavar="MESSAGE_ID",
                     help="Only those that this event caused."),
        click.option("--action", metavar="URL", callback=whole_action,
                     help="Only to this action, as the alarm has it."),
        click.option("--receiver", metavar="URL",
                     help="Only to this server, whatever the path: https://host:port."),
        click.option("--outcome", type=click.Choice(OUTCOME_NAMES),
                     help="Only those with an attempt that ended so."),
        click.option("--digest", metavar="DELIVERY_ID",
                     help="Only those that this digest tells of."),
        click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True,
                     help="At most so many."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def delivery() -> None:
    """Look at deliveries: notifications on their way.

    A delivery is pending, delivered, dead, or digested: told in a digest, among others. Every
    attempt is recorded.
    """


@delivery.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only in this state.")
@filter_options
@output_options
@pass_desk
def list_(desk: Desk, output: Output, limit: int, **filters: Any) -> None:
    """List deliveries, the newest first.

    \b
    Examples:
      tocsin delivery list --state pending
      tocsin delivery list --alarm "user deleted" --outcome failed
      tocsin delivery list --receiver https://receiver.example:8443
      tocsin delivery list --event 4fd53957-38d6-4ed4-9d7d-05924e45b7a2 -f json
    """
    found = desk.deliveries.search(DeliveryFilter(**filters), limit)
    output.rows(COLUMNS, map(row, found.items))


@delivery.command()
@click.argument("delivery_id", shell_complete=completion.deliveries)
@output_options
@pass_desk
def show(desk: Desk, output: Output, delivery_id: str) -> None:
    """Show one delivery with all its attempts.

    \b
    Example:
      tocsin delivery show 0b9a6e0e-7d1c-4c43-93a6-1c4a1c9f2d11
    """
    output.one(details(desk.deliveries.find(delivery_id)))


def row(delivery: Document) -> Sequence[Any]:
    """A delivery as a row of `COLUMNS`."""
    return (
        delivery["delivery_id"],
        delivery["state"],
        delivery["attempt_count"],
        delivery["kind"],
        delivery["alarm_name"],
        delivery["action"],
        times.told(delivery["created_at"]),
        times.told(delivery["due_at"]),
        delivery["last_error"],
    )


def details(delivery: Document) -> Mapping[str, Any]:
    """A delivery with what it tells and its attempts."""
    attempts = [_attempt(attempt) for attempt in delivery["attempts"]]
    progress = delivery["progress"]
    return {
        **{name: delivery[name] for name in _HEAD},
        **_subject(delivery),
        "created_at": times.told(delivery["created_at"]),
        "due_at": times.told(delivery["due_at"]),
        "finished_at": times.told(delivery["finished_at"]),
        **{name: delivery[name] for name in ("last_error", "digest_id", "fallback_for")},
        # What an attempt found out, such as the number of a job's build.
        "progress": Shown(progress, "\n".join(f"{k}: {v}" for k, v in progress.items())),
        "attempts": Shown(attempts, "\n".join(map(_line, attempts))),
    }


_HEAD = (
    *("delivery_id", "state", "action", "disabled"),
    *("alarm_id", "alarm_name", "message_id", "notification_id"),
    *("kind", "severity"),
)


def _subject(delivery: Document) -> Mapping[str, Any]:
    """An alarm's transition in its own columns; the fields of anything else in one."""
    if delivery["fields"] is None:
        return {name: delivery[name] for name in ("previous", "current", "reason")}
    return {"fields": delivery["fields"]}


def _attempt(attempt: Document) -> Document:
    return {**attempt, "started_at": times.told(attempt["started_at"])}


def _line(attempt: Document) -> str:
    status = "" if attempt["status"] is None else f" {attempt['status']}"
    said = attempt["error"] or attempt["note"]
    return (
        f"{attempt['number']}. {attempt['started_at']} {attempt['duration_seconds']:.3f} s "
        f"{attempt['outcome']}{status}{': ' if said else ''}{said}"
    )
