"""`tocsin route`: where notifications would go, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import click

from pipeline.alarms.alarm import Alarm, State
from pipeline.alarms.evaluator import decide
from pipeline.cli import completion
from pipeline.cli.base import Application, pass_application
from pipeline.cli.output import Output, Shown, output_options
from pipeline.dispatch.explain import Explanation, explain
from pipeline.errors import NotFound
from pipeline.event import Event
from pipeline.masking import mask_url
from pipeline.notification import Notification, told
from pipeline.past import reference

_COLUMNS = ("alarm", "what", "name", "takes", "why")
_Row = tuple[str, str, str, Shown, str | Shown]


@click.group()
def route() -> None:
    """Look at where notifications go.

    An alarm's actions, the policy of a notification's kind, and matchers decide.
    """


@route.command("explain")
@click.argument("event", metavar="EVENT-ID|FILE", shell_complete=completion.events)
@click.option(
    "--alarm",
    "wanted",
    metavar="ALARM",
    shell_complete=completion.alarms,
    help="Only of this alarm: its id or name.",
)
@output_options
@pass_application
def explain_(app: Application, output: Output, event: str, wanted: str | None) -> None:
    """Show who would be told of an event, and why not the others.

    Shows what every matcher and every target would make of it.
    The event is one in the archive, or the first of a file as `tocsin normalise` reads it. Every
    enabled alarm that it fires is looked at, as if it had not fired before. The id of a delivery
    is as good: then it is what was told there. Nothing is written or told.

    \b
    Examples:
      tocsin route explain 4fd53957
      tocsin route explain captured.jsonl --alarm "user deleted"
    """
    found = app.past().find(reference(event))
    asked = app.store.find(wanted) if wanted else None
    if isinstance(found, Notification):
        notifications = [(found, _own_actions(app, found))]
    else:
        notifications = list(_caused(app, found, asked))
    if not notifications:
        whom = f"alarm {asked.name!r}" if asked else "no enabled alarm"
        does = "does not fire" if asked else "fires"
        click.echo(f"{whom} {does} on it: nothing is told.", err=True)
    routing = app.telling.routing()
    rows: list[_Row] = []
    for notification, actions in notifications:
        explanation = explain(notification, actions, routing, app.clock())
        rows += _rows(_named(notification), notification.kind, explanation)
    output.rows(_COLUMNS, rows)


def _caused(
    app: Application, event: Event, asked: Alarm | None
) -> Iterator[tuple[Notification, Sequence[str]]]:
    """What the event makes of alarms, as if none had fired before, with their own actions."""
    alarms = [asked] if asked else app.store.all_enabled()[1]
    for alarm in alarms:
        fresh = replace(alarm, state=State.INSUFFICIENT_DATA)
        if transition := decide(fresh, event, app.clock()):
            yield told(transition), alarm.actions(transition.current)


def _own_actions(app: Application, notification: Notification) -> Sequence[str]:
    """The actions of the alarm that was told of, as they now are; none of one that is gone."""
    if notification.alarm is None:
        return ()
    try:
        return app.store.get(notification.alarm_id).actions(notification.alarm.current)
    except NotFound:
        return ()


def _named(notification: Notification) -> str:
    return notification.alarm.alarm_name if notification.alarm else ""


def _rows(alarm: str, kind: str, explanation: Explanation) -> Iterator[_Row]:
    policy = explanation.policy
    yield alarm, "policy", kind, _yes(policy.taken), policy.reason
    for verdict in explanation.matchers:
        yield alarm, "matcher", verdict.name, _yes(verdict.taken), _lines(verdict.reason)
    for verdict in explanation.targets:
        yield alarm, "target", mask_url(verdict.name), _yes(verdict.taken), _lines(verdict.reason)
    for problem in explanation.plan.problems:
        yield alarm, "problem", "", _yes(False), problem


def _yes(taken: bool) -> Shown:
    return Shown(taken, "yes" if taken else "no")


def _lines(reason: str) -> Shown:
    """One of several reasons a line, for people."""
    return Shown(reason, reason.replace("; ", "\n"))
