"""Alarms as people and clients write them: Aodh's JSON form in, and out again.

Used by whoever takes in alarms: the CLI, alarm files (`pipeline.alarms.files`) and the REST API.
Names, defaults and error texts are Aodh's (alarms 1 to 8). All that is wrong with an
alarm is found at once, and an alarm that was taken in can be matched: what `conditions` and
`schedule` refuse is refused here.

Ids and times are arguments; nothing is read or kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import cycle
from typing import Any

from marshmallow import ValidationError

from pipeline.alarms.alarm import Alarm, EventRule, State, TimeConstraint
from pipeline.alarms.alarm_schema import ActionCheck, AlarmSchema
from pipeline.errors import InvalidValue
from pipeline.masking import mask_url
from pipeline.times import plain

MANUAL_REASON = "Manually set via API"
_KEPT = ("project_id", "user_id", "all_projects")


class InvalidAlarm(InvalidValue):
    """An alarm that cannot be taken in.

    `problems` are all of them, each with the dotted path of the field (`''` for the whole);
    `messages` are the same, nested by field as marshmallow has them.
    """

    def __init__(self, messages: Mapping[str, Any]) -> None:
        self.problems = tuple(flat(messages))
        lines = [f"{path}: {text}" if path else text for path, text in self.problems]
        super().__init__("\n".join(lines), self.problems[0][0] or None, messages)


def load_alarm(
    data: Mapping[str, Any],
    *,
    alarm_id: str,
    now: datetime,
    check_action: ActionCheck,
    max_actions: int = -1,
) -> Alarm:
    """A new alarm from its JSON form. Raises `InvalidAlarm` with all that is wrong.

    `check_action` refuses an action that nothing can carry out; `max_actions` bounds the actions
    of each state where it is positive. Times, reason and id in `data` are the store's to set, and
    are ignored as in Aodh.
    """
    fields = _loaded(data, check_action, max_actions)
    return Alarm(alarm_id=alarm_id, timestamp=now, state_timestamp=now, **fields)


def update_alarm(
    alarm: Alarm,
    data: Mapping[str, Any],
    *,
    now: datetime,
    check_action: ActionCheck,
    max_actions: int = -1,
) -> Alarm:
    """The alarm with the fields that `data` has; an event rule's own fields are kept likewise.

    An action that is given as `as_dict` shows it, with its secrets masked, keeps them. Raises
    `InvalidAlarm`, as `load_alarm` does.
    """
    present = as_dict(alarm)
    if data.get("type", alarm.type) != alarm.type:
        del present[f"{alarm.type}_rule"]
    merged = {**present, **data}
    rule = data.get("event_rule")
    if isinstance(rule, Mapping) and isinstance(alarm.rule, EventRule):
        merged["event_rule"] = {**alarm.rule.as_dict(), **rule}
    return _changed(alarm, _loaded(unmasked(merged, alarm), check_action, max_actions), now)


def replaced_alarm(
    alarm: Alarm,
    data: Mapping[str, Any],
    *,
    now: datetime,
    check_action: ActionCheck,
    max_actions: int = -1,
) -> Alarm:
    """The alarm as `data` has it, and by default where it has nothing; whose it is, and whether
    it sees all projects, is kept where nothing is said of it.

    Actions and errors as in `update_alarm`.
    """
    given = {key: value for key, value in data.items() if value is not None}
    whole = {**{name: getattr(alarm, name) for name in _KEPT}, **given}
    return _changed(alarm, _loaded(unmasked(whole, alarm), check_action, max_actions), now)


def _changed(alarm: Alarm, fields: Mapping[str, Any], now: datetime) -> Alarm:
    changed = replace(alarm, timestamp=now, **fields)
    if changed.state is not alarm.state:
        changed = replace(changed, state_timestamp=now, state_reason=MANUAL_REASON)
    return changed


def as_dict(alarm: Alarm, *, mask: bool = False) -> dict[str, Any]:
    """The alarm in Aodh's JSON form; with `mask`, without the secrets in its action URLs."""

    def actions(urls: Sequence[str]) -> list[str]:
        return [mask_url(url) for url in urls] if mask else list(urls)

    return {
        "alarm_id": alarm.alarm_id,
        "name": alarm.name,
        "description": alarm.description,
        "type": alarm.type,
        "enabled": alarm.enabled,
        "project_id": alarm.project_id,
        "user_id": alarm.user_id,
        "all_projects": alarm.all_projects,
        "severity": alarm.severity.value,
        "state": alarm.state.value,
        "state_reason": alarm.state_reason,
        "state_timestamp": plain(alarm.state_timestamp),
        "timestamp": plain(alarm.timestamp),
        "evaluate_timestamp": plain(alarm.evaluate_timestamp),
        "repeat_actions": alarm.repeat_actions,
        "ok_actions": actions(alarm.ok_actions),
        "alarm_actions": actions(alarm.alarm_actions),
        "insufficient_data_actions": actions(alarm.insufficient_data_actions),
        "time_constraints": [_constraint_as_dict(c) for c in alarm.time_constraints],
        f"{alarm.type}_rule": alarm.rule.as_dict(),
    }


def _constraint_as_dict(constraint: TimeConstraint) -> dict[str, Any]:
    return {
        "name": constraint.name,
        "description": constraint.description,
        "start": constraint.start,
        "duration": constraint.duration_seconds,
        "timezone": constraint.timezone,
    }


def unmasked(data: Mapping[str, Any], alarm: Alarm) -> dict[str, Any]:
    """The data with each action that was shown masked, and is given back so, as the alarm has
    it. Of those that are shown alike the first is the first, and so on.

    Raises `InvalidAlarm` where it cannot be told which is meant.
    """
    kept = {f"{state.value.replace(' ', '_')}_actions": alarm.actions(state) for state in State}
    every = tuple(dict.fromkeys(url for urls in kept.values() for url in urls))
    problems: dict[str, list[str]] = {}
    found = dict(data)
    for key in kept.keys() & data.keys():
        if isinstance(data[key], list):
            found[key], problems[key] = _unmasked(data[key], kept[key], every)
    if problems := {key: said for key, said in problems.items() if said}:
        raise InvalidAlarm(problems)
    return found


def _unmasked(
    given: list[Any], kept: Sequence[str], every: Sequence[str]
) -> tuple[list[Any], list[str]]:
    """One list of actions with their secrets, and what is wrong: `kept` are those that it had,
    `every` those of all lists."""
    meant: dict[str, Iterator[str]] = {}
    problems = []
    for shown in dict.fromkeys(action for action in given if isinstance(action, str)):
        alike = [url for url in kept if mask_url(url) == shown]
        alike = alike or [url for url in every if mask_url(url) == shown]
        if len(alike) == 1 or len(alike) == given.count(shown):
            meant[shown] = cycle(alike)
        elif alike:
            problems.append(
                f"{len(alike)} actions are shown as {shown}. Give all of them, or with its secret"
                " the one that is meant."
            )
    return [next(meant[a]) if isinstance(a, str) and a in meant else a for a in given], problems


def _loaded(
    data: Mapping[str, Any], check_action: ActionCheck, max_actions: int
) -> dict[str, Any]:
    """The Alarm fields that `data` gives. Raises `InvalidAlarm`."""
    if not isinstance(data, Mapping):
        raise InvalidAlarm({"_schema": ["An alarm is an object with a name, a type and a rule."]})
    try:
        loaded: dict[str, Any] = AlarmSchema(check_action, max_actions).load(dict(data))
    except ValidationError as error:
        raise InvalidAlarm(error.messages_dict) from error
    return loaded


def flat(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Marshmallow's nested messages as (dotted path, text)."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from flat(inner, path if key == "_schema" else f"{path}.{key}".strip("."))
    elif isinstance(messages, str):
        yield path, messages
    else:
        for inner in messages:
            yield from flat(inner, path)
