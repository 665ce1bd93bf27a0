"""Forms: alarms and entries as they are written in files, without what is as by default. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pipeline.alarms.alarm import Alarm, CompositeRule, EventRule, leaf_dict
from pipeline.alarms.alarm_schema import default_description
from pipeline.alarms.schema import as_dict
from pipeline.dispatch import Entry, TargetEntry
from pipeline.dispatch.edits import document
from pipeline.dispatch.secret_values import shown
from pipeline.masking import mask_url, masked

_SET_BY_THE_STORE: Final = (
    "state",
    "state_reason",
    "state_timestamp",
    "timestamp",
    "evaluate_timestamp",
)
_FIRST: Final = ("name", "alarm_id", "type", "event_rule", "composite_rule")
_DEFAULTS: Final[Mapping[str, Any]] = {
    "enabled": True,
    "severity": "low",
    "repeat_actions": False,
    "project_id": "",
    "user_id": "",
    "ok_actions": [],
    "alarm_actions": [],
    "insufficient_data_actions": [],
    "time_constraints": [],
}


def alarm_form(alarm: Alarm, *, mask: bool) -> dict[str, Any]:
    """An alarm's definition; with `mask` without the secrets in its actions. Its state is none."""
    found = {k: v for k, v in as_dict(alarm, mask=mask).items() if k not in _SET_BY_THE_STORE}
    if found["all_projects"] is not bool(alarm.project_id):  # what it is if nobody says
        del found["all_projects"]
    if found["description"] == default_description(alarm.rule):
        del found["description"]
    if isinstance(alarm.rule, EventRule):
        found["event_rule"] = _rule(found["event_rule"])
    else:
        found["composite_rule"] = _composite(alarm.rule)
    found["time_constraints"] = [
        _without(constraint, "timezone") for constraint in found["time_constraints"]
    ]
    ordered = [*_FIRST, *(key for key in found if key not in _FIRST)]
    return {
        key: found[key]
        for key in ordered
        if key in found and not (key in _DEFAULTS and found[key] == _DEFAULTS[key])
    }


def entry_form(entry: Entry, *, mask: bool) -> dict[str, Any]:
    """A target, group, filter or matcher; with `mask` secrets, also those in URLs, are `***`."""
    if not mask:
        return document(entry)
    if isinstance(entry, TargetEntry):
        secrets = {name: shown(value) for name, value in entry.secrets.items()}
        options = {name: _masked(value) for name, value in entry.options.items()}
        entry = replace(entry, options=options, secrets=secrets)
    return document(entry)


def _masked(value: Any) -> Any:
    return mask_url(value) if isinstance(value, str) else masked(value)


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"event_type": rule["event_type"]}
    if rule["query"]:
        found["query"] = [_without(condition, "type") for condition in rule["query"]]
    return found


def _composite(rule: CompositeRule) -> dict[str, Any]:
    parts: list[Mapping[str, Any]] = []
    for part in rule.parts:
        if isinstance(part, CompositeRule):
            parts.append(_composite(part))
        elif isinstance(part, EventRule):
            parts.append({"type": "event", **_rule(part.as_dict())})
        else:
            parts.append(leaf_dict(part))
    return {rule.op: parts}


def _without(form: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The form without that property, where it is empty."""
    return {key: value for key, value in form.items() if key != name or value != ""}
