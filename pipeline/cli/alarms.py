"""`tocsin alarm`: alarms made, found, shown, changed and deleted; their states and histories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from pipeline.alarms.alarm import State
from pipeline.alarms.files import load_alarms
from pipeline.alarms.filters import filters_of, sort_of
from pipeline.alarms.schema import as_dict
from pipeline.cli import alarm_view, completion, trials
from pipeline.cli.alarm_history import COLUMNS, id_once_found
from pipeline.cli.alarm_options import alarm_options, given
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.cli.quotas import quota
from pipeline.desk import Desk, Document
from pipeline.dispatch import named
from pipeline.errors import InvalidValue
from pipeline.targets import check_action

_ACTIONS = ("ok_actions", "alarm_actions", "insufficient_data_actions")


def _one_alarm(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take one alarm as ALARM, its id or name, or as --name."""
    argument = click.argument("alarm", required=False, shell_complete=completion.alarms)
    option = click.option(
        "--name", metavar="NAME", help="Name of the alarm, in place of ALARM.",
        shell_complete=completion.alarms,
    )  # fmt: skip
    return argument(option(command))


@click.group()
def alarm() -> None:
    """Make, find, show, change and delete alarms.

    An alarm says which events it is about and which actions to carry out when one comes. The
    options and outputs are those of the client `aodh`. ALARM is an id or a name.
    """


@alarm.command()
@click.option("--name", metavar="NAME", help="Name of the alarm; it need not be unique.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=False),
    metavar="FILE",
    help="Make all alarms of this YAML file, in place of one from options.",
)
@alarm_options
@output_options
@pass_desk
def create(desk: Desk, output: Output, file: str | None, **options: Any) -> None:
    """Make an alarm, or all alarms of a YAML file.

    \b
    Examples:
      tocsin alarm create --name "user deleted" --event-type identity.user.deleted \\
          --alarm-action https://receiver.example/hook --repeat-actions True
      tocsin alarm create --name "login failed" --event-type identity.authenticate \\
          --query "traits.outcome=string::failure;traits.reason_code>=integer::400" \\
          --time-constraint "name=night;start=0 22 * * *;duration=28800;timezone=Europe/Berlin" \\
          --severity critical --alarm-action log://
      tocsin alarm create --name "no way out" --alarm-action log:// --composite-rule \\
          '{"and": [{"alarm": "uplink down"}, {"type": "event", "event_type": "standby.failed"}]}'
      tocsin alarm create --file alarms.yaml
    """
    fields = given(options)
    if file is not None:
        if fields:
            raise InvalidValue(
                f"--file goes without --{_option(next(iter(fields)))}: put it there."
            )
        alarms = desk.alarms.create_many(_read(file))
        _warn_of_unknown(desk, alarms)
        output.rows(alarm_view.LIST_COLUMNS, map(alarm_view.row, alarms))
        return
    if not fields.get("name"):
        raise InvalidValue("the alarm needs a name. Give it one with --name.", "name")
    made = desk.alarms.create(fields)
    _warn_of_unknown(desk, [made])
    output.one(alarm_view.details(made), alarm_view.unasked(made))


@alarm.command("list")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only alarms whose field has this value; several with ; between them, or given again.",
)
@click.option(
    "--query",
    metavar="EXPRESSION",
    help='Only alarms for which this holds: "severity=critical and not (state=ok or name=~^a)".',
)
@click.option("--limit", type=click.IntRange(min=1), metavar="COUNT", help="At most so many.")
@click.option(
    "--marker", metavar="ID", help="Go on after this alarm, the last one that was listed before."
)
@click.option(
    "--sort",
    "sorts",
    multiple=True,
    metavar="KEY[:asc|desc]",
    help="Order by this field, and then by the next --sort.  [default: timestamp:desc]",
)
@output_options
@pass_desk
def list_(
    desk: Desk,
    output: Output,
    filters: tuple[str, ...],
    query: str | None,
    limit: int | None,
    marker: str | None,
    sorts: tuple[str, ...],
) -> None:
    """List alarms of every project.

    \b
    Examples:
      tocsin alarm list --filter "state=alarm;severity=critical"
      tocsin alarm list --query "name=~disk and (state=alarm or enabled=false)" --sort name
      tocsin alarm list -f value -c alarm_id
    """
    found = desk.alarms.search(filters_of(filters), query, sort_of(sorts), limit, marker)
    output.rows(alarm_view.LIST_COLUMNS, map(alarm_view.row, found.items))


@alarm.command()
@_one_alarm
@output_options
@pass_desk
def show(desk: Desk, output: Output, alarm: str | None, name: str | None) -> None:
    """Show everything about an alarm.

    \b
    Examples:
      tocsin alarm show "user deleted"
      tocsin alarm show "user deleted" -f value -c state_reason
    """
    shown = _found(desk, alarm, name)
    output.one(alarm_view.details(shown), alarm_view.unasked(shown))


@alarm.command()
@click.argument("alarm", required=False, shell_complete=completion.alarms)
@click.option(
    "--name", metavar="NAME", help="A new name; without ALARM, the name of the alarm to change."
)
@alarm_options
@output_options
@pass_desk
def update(desk: Desk, output: Output, alarm: str | None, **options: Any) -> None:
    """Change an alarm: what is given changes, all else stays.

    \b
    Examples:
      tocsin alarm update "user deleted" --severity critical --enabled True
      tocsin alarm update "user deleted" --ok-action ''          # no ok action any more
      tocsin alarm update "user deleted" --name "user is gone"
    """
    present = _found(desk, alarm, None if alarm else options["name"])
    changed = desk.alarms.update(present["alarm_id"], given(options))
    _warn_of_unknown(desk, [changed])
    output.one(alarm_view.details(changed), alarm_view.unasked(changed))


@alarm.command()
@_one_alarm
@pass_desk
def delete(desk: Desk, alarm: str | None, name: str | None) -> None:
    """Delete an alarm. Its history stays.

    \b
    Example:
      tocsin alarm delete "user deleted"
    """
    desk.alarms.delete(_found(desk, alarm, name)["alarm_id"])


@alarm.group()
def state() -> None:
    """Look at an alarm's state, or set it by hand."""


@state.command("get")
@_one_alarm
@output_options
@pass_desk
def get_state(desk: Desk, output: Output, alarm: str | None, name: str | None) -> None:
    """Show an alarm's state: ok, alarm or insufficient data.

    \b
    Example:
      tocsin alarm state get "user deleted" -f value
    """
    output.one({"state": _found(desk, alarm, name)["state"]})


@state.command("set")
@_one_alarm
@click.option(
    "--state", "wanted", required=True, type=click.Choice(list(map(str, State))), help="The state."
)
@output_options
@pass_desk
def set_state(
    desk: Desk, output: Output, alarm: str | None, name: str | None, wanted: str
) -> None:
    """Set an alarm's state by hand. An alarm in another state than alarm may fire again.

    \b
    Example:
      tocsin alarm state set "user deleted" --state ok
    """
    changed = desk.alarms.set_state(_found(desk, alarm, name)["alarm_id"], wanted)
    output.one({"state": changed["state"]})


@alarm.command()
@_one_alarm
@click.option("--limit", type=click.IntRange(min=1), metavar="COUNT", help="At most so many.")
@output_options
@pass_desk
def history(
    desk: Desk, output: Output, alarm: str | None, name: str | None, limit: int | None
) -> None:
    """List what became of an alarm, the newest first.

    A deleted one has its history by its id.

    \b
    Examples:
      tocsin alarm history "user deleted" --limit 5
      tocsin alarm history "user deleted" -f json
    """
    found = desk.alarms.history(id_once_found(desk, _asked_for(alarm, name)), limit)
    output.rows(COLUMNS, [[line[each] for each in COLUMNS] for line in found.items])


alarm.add_command(quota)


alarm.add_command(trials.explain)
alarm.add_command(trials.test)


def _read(file: str) -> list[Document]:
    """The alarms of a file; their ids and times are the store's to set."""
    text, now = Path(file).read_bytes(), datetime.now(UTC)
    alarms = load_alarms(text, file, new_id=str, now=now, check_action=check_action)
    return [as_dict(alarm) for alarm in alarms]


def _warn_of_unknown(desk: Desk, alarms: Sequence[Document]) -> None:
    """Say which targets and groups are still to be made: an alarm may be there before them."""
    for alarm in alarms:
        if not _leads_to_names(alarm):
            continue
        for action in desk.alarms.unknown_names(alarm["alarm_id"]):
            kind, _, name = action.partition(":")
            mend = f"Make it: tocsin {kind} create {name} …"
            click.echo(
                f"Warning: alarm {alarm['name']!r}: {action} does not exist. {mend}", err=True
            )


def _leads_to_names(alarm: Document) -> bool:
    actions = (action for name in _ACTIONS for action in alarm[name])
    return any(named(action, kind) for action in actions for kind in ("target", "group"))


def _found(desk: Desk, alarm: str | None, name: str | None) -> Document:
    return desk.alarms.find(_asked_for(alarm, name))


def _asked_for(alarm: str | None, name: str | None) -> str:
    if bool(alarm) == bool(name):
        raise InvalidValue("say which alarm: its id or name, or --name, and only one of them.")
    return str(alarm or name)


def _option(field: str) -> str:
    return field.replace("_", "-")
