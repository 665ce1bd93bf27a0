"""Alarm files: YAML with a list of alarms, in the form that `pipeline.alarms.schema` takes.

    alarms:
      - name: user deleted
        type: event
        event_rule: {event_type: identity.user.deleted}
        alarm_actions: [https://receiver.example/hook]

Used by the demo, `tocsin alarm create --file` and `tocsin alarm test`. A file is taken whole or
not at all: every problem in it is reported at once, each with its line and column.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from pipeline.alarms.alarm import Alarm
from pipeline.alarms.alarm_schema import ActionCheck
from pipeline.alarms.schema import InvalidAlarm, load_alarm
from pipeline.errors import ConfigError, Problem
from pipeline.registry import did_you_mean
from pipeline.yaml_source import load


def load_alarms(
    text: str | bytes,
    file: str,
    *,
    new_id: Callable[[], str],
    now: datetime,
    check_action: ActionCheck,
    max_actions: int = -1,
    beside: Collection[str] = (),
) -> list[Alarm]:
    """The alarms of a file, in its order, each with a new id. Raises `ConfigError`.

    `file` is its name in messages; `beside` are lists that it may have besides.
    """
    document = load(text, file)
    value: Any = document.value
    if not isinstance(value, dict) or not isinstance(value.get("alarms"), list):
        message = "a mapping with a list of alarms under 'alarms' is needed here."
        raise ConfigError([document.problem((), message)])
    problems: list[Problem] = [
        document.problem((key,), f"unknown key.{did_you_mean(key, ['alarms'])}", key=True)
        for key in value
        if key not in ("alarms", *beside)
    ]
    alarms = []
    for number, data in enumerate(value["alarms"]):
        try:
            alarm = load_alarm(
                _seeing_all(data),
                alarm_id=new_id(),
                now=now,
                check_action=check_action,
                max_actions=max_actions,
            )
        except InvalidAlarm as error:
            problems += document.problems(error.messages or {}, at=("alarms", number))
        else:
            alarms.append(alarm)
    if problems:
        raise ConfigError(sorted(problems, key=lambda each: (each.line or 0, each.column or 0)))
    return alarms


def _seeing_all(data: Any) -> Any:
    """Who has the file may see everything, so an alarm sees all projects unless it has its own."""
    if not isinstance(data, dict):
        return data
    return {"all_projects": not data.get("project_id"), **data}
