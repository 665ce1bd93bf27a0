"""`tocsin delivery`: what was told, to whom, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from pipeline import dispatch
from pipeline.cli import completion, times
from pipeline.cli.base import Application, pass_application
from pipeline.cli.output import Output, Shown, output_options
from pipeline.masking import MASK, mask_url
from pipeline.notification import (
    OUTCOME_NAMES,
    Attempt,
    Delivered,
    Delivery,
    Failed,
    InProgress,
    Notification,
    Outcome,
    Progress,
    Refused,
    outcome_name,
)
from pipeline.store.base import DeliveryRecord

STATES = ("pending", "delivered", "dead", "digested")
COLUMNS = (
    "delivery_id",
    "state",
    "attempts",
    "alarm_name",
    "action",
    "created_at",
    "due_at",
    "last_error",
)


def whole_action(_: Any, __: Any, action: str | None) -> str | None:
    """An action that deliveries are chosen by. One that was copied from a list may lack its
    secrets, and would find nothing."""
    if action and MASK in action:
        raise click.BadParameter(
            f"{action} is without its secrets, which nothing is found by. Give the action as the"
            " alarm has it; or choose by ids, times or, in a list, --receiver."
        )
    return action


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which deliveries are chosen from a list."""
    options = (
        click.option("--alarm", metavar="ALARM", shell_complete=completion.alarms,
                     help="Only of this alarm: its id or name."),
        click.option("--event", "message_id", metavar="MESSAGE_ID",
                     help="Only those that this event caused."),
        click.option("--action", metavar="URL", callback=whole_action,
                     help="Only to this action, as the alarm has it."),
        click.option("--receiver", metavar="URL",
                     help="Only to this server, whatever the path: https://host:port."),
        click.option("--outcome", type=click.Choice(OUTCOME_NAMES),
                     help="Only those with an attempt that ended so."),
        click.option("--digest", "digest_id", metavar="DELIVERY_ID",
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
@pass_application
def list_(app: Application, output: Output, state: str | None, **filters: Any) -> None:
    """List deliveries, the newest first.

    \b
    Examples:
      tocsin delivery list --state pending
      tocsin delivery list --alarm "user deleted" --outcome failed
      tocsin delivery list --receiver https://receiver.example:8443
      tocsin delivery list --event 4fd53957-38d6-4ed4-9d7d-05924e45b7a2 -f json
    """
    output.rows(COLUMNS, [row(record) for record in chosen(app, state, **filters)])


@delivery.command()
@click.argument("delivery_id", shell_complete=completion.deliveries)
@output_options
@pass_application
def show(app: Application, output: Output, delivery_id: str) -> None:
    """Show one delivery with all its attempts.

    \b
    Example:
      tocsin delivery show 0b9a6e0e-7d1c-4c43-93a6-1c4a1c9f2d11
    """
    output.one(details(*app.store.delivery(delivery_id)))


def chosen(
    app: Application,
    state: str | None,
    alarm: str | None,
    receiver: str | None,
    **filters: Any,
) -> list[DeliveryRecord]:
    """The deliveries that the filter options ask for."""
    alarm_id = app.store.find(alarm).alarm_id if alarm else None
    to = dispatch.receiver(receiver) if receiver else None
    return app.store.deliveries(state=state, alarm_id=alarm_id, receiver=to, **filters)


def row(record: DeliveryRecord) -> Sequence[Any]:
    """A delivery as a row of `COLUMNS`."""
    return (
        record.delivery_id,
        record.state,
        record.attempts,
        record.alarm_name,
        mask_url(record.action),
        times.shown(record.created_at),
        times.shown(record.due_at),
        record.last_error,
    )


def details(
    record: DeliveryRecord, delivery: Delivery, attempts: Sequence[Attempt]
) -> Mapping[str, Any]:
    """A delivery with what it tells and its attempts."""
    told = delivery.notification
    return {
        "delivery_id": record.delivery_id,
        "state": record.state,
        "action": mask_url(record.action),
        "disabled": delivery.disabled,
        "alarm_id": record.alarm_id,
        "alarm_name": record.alarm_name,
        "message_id": record.message_id,
        "notification_id": record.notification_id,
        "kind": told.kind,
        "severity": told.severity,
        **_subject(told),
        "created_at": times.shown(record.created_at),
        "due_at": times.shown(record.due_at),
        "finished_at": times.shown(record.finished_at),
        "last_error": record.last_error,
        "digest_id": record.digest_id,
        "fallback_for": record.fallback_for,
        "progress": _progress(delivery.progress),
        "attempts": Shown(
            [_attempt(attempt) for attempt in attempts], "\n".join(map(_line, attempts))
        ),
    }


def _subject(told: Notification) -> Mapping[str, Any]:
    """An alarm's transition in its own columns; the fields of anything else in one."""
    if alarm := told.alarm:
        return {
            "previous": alarm.previous.value,
            "current": alarm.current.value,
            "reason": alarm.reason,
        }
    return {"fields": dict(told.fields)}


def _attempt(attempt: Attempt) -> Mapping[str, Any]:
    outcome = attempt.outcome
    return {
        "number": attempt.number,
        "started_at": times.shown(attempt.started_at),
        "duration_seconds": attempt.duration_seconds,
        "outcome": outcome_name(outcome),
        "status": outcome.status,
        "error": _error(outcome),
        "note": _note(outcome),
        "response_head": outcome.response_head,
    }


def _line(attempt: Attempt) -> str:
    outcome = attempt.outcome
    status = "" if outcome.status is None else f" {outcome.status}"
    said = _error(outcome) or _note(outcome)
    return (
        f"{attempt.number}. {times.shown(attempt.started_at)} {attempt.duration_seconds:.3f} s "
        f"{outcome_name(outcome)}{status}{': ' if said else ''}{said}"
    )


def _error(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, Refused | Failed) else ""


def _note(outcome: Outcome) -> str:
    return outcome.note if isinstance(outcome, Delivered | InProgress) else ""


def _progress(progress: Progress | None) -> Shown:
    """What an attempt found out, such as the number of a job's build."""
    left = dict(progress or {})
    return Shown(left, "\n".join(f"{name}: {value}" for name, value in left.items()))
