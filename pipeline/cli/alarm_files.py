"""A YAML file of alarms → alarms, all of them or none.

The file holds a list, or `alarms:` with a list; each item is what Aodh's API takes as an alarm.
All problems are found at once, each with its line. Called by `tocsin alarm create --file` and by
`tocsin demo`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline import yaml_source
from pipeline.alarms.alarm import Alarm
from pipeline.errors import ConfigError, InvalidValue, Problem

_SHAPE = "Write a list of alarms, or `alarms:` with one."


def read_alarms(file: str, load: Callable[[Mapping[str, Any]], Alarm]) -> list[Alarm]:
    """The alarms of the YAML file, each made by `load`, which raises `InvalidValue`.

    Raises `ConfigError` with every problem.
    """
    document = yaml_source.load_file(file)
    path: tuple[str | int, ...] = ()
    items = document.value
    if isinstance(items, dict) and set(items) == {"alarms"}:
        path, items = ("alarms",), items["alarms"]
    if not isinstance(items, list):
        raise ConfigError([document.problem(path, f"this is no list. {_SHAPE}")])
    alarms: list[Alarm] = []
    problems: list[Problem] = []
    for index, item in enumerate(items):
        place = (*path, index)
        if not isinstance(item, dict):
            problems.append(document.problem(place, "an alarm is a mapping: `name: …`"))
            continue
        try:
            alarms.append(load(item))
        except InvalidValue as error:
            inner = error.field.split(".") if error.field else []
            problems.append(document.problem((*place, *inner), str(error)))
    if problems:
        raise ConfigError(problems)
    return alarms
