"""The options that describe an alarm, and what of them was given, in Aodh's wire form.

`alarm create` and `alarm update` share them. They carry aodhclient's names (alarms 27), so that a
command line written for `aodh` works. Whether the values fit is the alarm schema's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from pipeline.alarms.alarm import Severity, State
from pipeline.cli import queries
from pipeline.errors import InvalidValue

_LISTS = ("alarm_actions", "ok_actions", "insufficient_data_actions")
_PLAIN = (
    "name",
    "type",
    "project_id",
    "user_id",
    "description",
    "state",
    "severity",
    "enabled",
    "repeat_actions",
    "all_projects",
)
_CONSTRAINT = "name=NAME;start=CRON;duration=SECONDS[;description=TEXT][;timezone=ZONE]"


def alarm_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that describe an alarm; each is None or () if not given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, in Aodh's wire form. Raises `InvalidValue` for what cannot be read.

    A list option that was given once and empty (`--ok-action ''`) clears its list.
    """
    fields = {name: options[name] for name in _PLAIN if options[name] is not None}
    fields |= {name: _cleared(options[name]) for name in _LISTS if options[name]}
    if options["time_constraints"]:
        texts = _cleared(options["time_constraints"])
        fields["time_constraints"] = [_time_constraint(text) for text in texts]
    rule = {}
    if options["event_type"] is not None:
        rule["event_type"] = options["event_type"]
    if options["query"] is not None:
        rule["query"] = queries.conditions(options["query"])
    if options["composite_rule"] is not None:
        fields["composite_rule"] = _composite_rule(options["composite_rule"])
    return fields | ({"event_rule": rule} if rule else {})


def _composite_rule(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidValue(
            f"--composite-rule is no JSON: {error}. "
            'Write {"or": [{"type": "event", "event_type": …}, {"alarm": …}]}.',
            "composite_rule",
        ) from error


def _cleared(values: Sequence[str]) -> list[str]:
    return [] if tuple(values) == ("",) else list(values)


def _time_constraint(text: str) -> dict[str, Any]:
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    constraint: dict[str, Any] = {}
    for name, equals, value in pairs:
        if not equals:
            raise InvalidValue(
                f"--time-constraint {text!r}: {name!r} has no value. Write {_CONSTRAINT}.",
                "time_constraints",
            )
        constraint[name.strip(" \"'")] = value.strip(" \"'")
    return constraint


def _action(name: str, parameter: str, state: str) -> Callable[..., Any]:
    return click.option(
        name,
        parameter,
        multiple=True,
        metavar="URL",
        help=f"Tell this when the state becomes {state}. May be given several times; '' for none.",
    )


_OPTIONS = (
    click.option(
        "-t",
        "--type",
        metavar="TYPE",
        help="The alarm's type, event or composite: what its rule is.",
    ),
    click.option("--project-id", metavar="ID", help="The project that the alarm belongs to."),
    click.option("--user-id", metavar="ID", help="The user that the alarm belongs to."),
    click.option("--description", metavar="TEXT", help="Free text about the alarm."),
    click.option("--state", type=click.Choice(list(map(str, State))), help="Its present state."),
    click.option(
        "--severity", type=click.Choice(list(map(str, Severity))), help="How urgent it is."
    ),
    click.option(
        "--enabled", type=click.BOOL, metavar="True|False", help="Whether events are tried on it."
    ),
    _action("--alarm-action", "alarm_actions", "alarm"),
    _action("--ok-action", "ok_actions", "ok"),
    _action("--insufficient-data-action", "insufficient_data_actions", "insufficient data"),
    click.option(
        "--time-constraint",
        "time_constraints",
        multiple=True,
        metavar="CONSTRAINT",
        help="Fire only within this recurring time, written name=NAME;start=CRON;duration=SECONDS "
        "and perhaps ;timezone=ZONE;description=TEXT. May be given several times; '' for none.",
    ),
    click.option(
        "--repeat-actions",
        type=click.BOOL,
        metavar="True|False",
        help="Whether every event that matches is told, or only the first.",
    ),
    click.option(
        "--event-type", metavar="GLOB", help="The type of the events that it is about: any."
    ),
    click.option(
        "--query",
        metavar="QUERY",
        help="Conditions that must all hold, as key[op]type::value with ; between them. "
        "The operators are = != < <= > >=; the type is string, integer, float, boolean or "
        "datetime, or left out with its ::.",
    ),
    click.option(
        "--composite-rule",
        metavar="JSON",
        help="The rule of a composite alarm: and, or with a list of event conditions, references "
        'to other alarms and further rules: {"and": [{"type": "event", "event_type": …, '
        '"query": […]}, {"alarm": ID|NAME}]}.',
    ),
    click.option(
        "--all-projects/--no-all-projects",
        default=None,
        help="Whether it sees the events of every project, and those without one. An alarm made "
        "here does, as a person on this machine may see everything, unless --project-id is given: "
        "then it sees that project's events.",
    ),
)
