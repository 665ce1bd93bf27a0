"""Words: what the fields of bodies are, where the schemas that check them do not say it.

By schema and field, for the OpenAPI description. Those schemas stand in the pure core, which
describes nothing for an API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.alarms.alarm import Severity, State
from pipeline.alarms.alarm_schema import SUPPORTED_TYPES
from pipeline.alarms.conditions import OPERATORS, TYPES
from pipeline.severity import RANKS, WORDS

_ACTIONS: Final = "Whom to tell then: `target:NAME`, `group:NAME`, or a URL."
_UNIQUE: Final = "Unique among targets, groups, filters and matchers; 2 to 32 characters."
_ENTRY: Final = {
    "name": _UNIQUE,
    "comment": "What it is for, for people.",
    "disable": "A disabled one does nothing.",
}

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "AlarmIn": {
        "name": "Its name, for people; several may have the same.",
        "type": "What sort of alarm it is.",
        "description": "What it is for; without it, made of the rule.",
        "enabled": "A disabled one looks at nothing.",
        "severity": "How severe it is what it tells of.",
        "state": "The state that it begins in.",
        "ok_actions": _ACTIONS,
        "alarm_actions": _ACTIONS,
        "insufficient_data_actions": _ACTIONS,
        "repeat_actions": "Whether it tells of every event, or of the first only.",
        "time_constraints": "When it may tell anybody; without any, always.",
        "project_id": "The project that it belongs to; without it, yours.",
        "user_id": "Whose it is.",
        "all_projects": "Whether it sees every project's events; for those who see all.",
        "event_rule": "On which events it fires.",
        "composite_rule": 'Events and other alarms, combined: `{"and": […]}`, `{"or": […]}`.',
    },
    "EventRule": {
        "event_type": "The type of the event, as a shell glob: `identity.user.*`.",
        "query": "Conditions, all of which must hold.",
    },
    "Condition": {
        "field": "`traits.NAME`, or event_type, message_id, generated, raw.….",
        "op": "How it is compared.",
        "value": "What it is compared with.",
        "type": "The type of the value; without it, that of what is given.",
    },
    "TimeConstraint": {
        "name": "Its name, another for each.",
        "description": "What it is for.",
        "start": "When it begins, as cron has it: `0 22 * * *`.",
        "duration": "For how many seconds.",
        "timezone": "A time zone's name, such as `Europe/Vienna`; without it, UTC.",
    },
    "FilterIn": {**_ENTRY, "min-severity": "What is less severe does not pass."},
    "GroupIn": {
        **_ENTRY,
        "target": "The names of its targets.",
        "filter": "The filter that a notification has to pass.",
    },
    "MatcherIn": {
        **_ENTRY,
        "match-field": "Rules on fields: `exact:NAME=VALUE,VALUE` or `regex:NAME=PATTERN`.",
        "match-severity": "How severe it is; one is enough.",
        "match-calendar": "When it is told, `mon-fri 9-17`; one is enough.",
        "mode": "Whether all rules must hold, or any.",
        "invert-match": "Take what the rules do not hold for.",
        "target": "Targets and groups that it goes to.",
    },
}

SCHEMAS: Final[Mapping[str, str]] = {
    "AlarmIn": "An alarm: on which events it fires, and whom it tells then.",
    "EventRule": "On which events an alarm fires.",
    "TimeConstraint": "When an alarm may tell anybody.",
}
"""What schemas describe, where their classes say it for who reads the code, or not at all."""

CHOICES: Final[Mapping[str, Mapping[str, list[Any]]]] = {
    "AlarmIn": {
        "severity": list(map(str, Severity)),
        "state": list(map(str, State)),
        "type": list(SUPPORTED_TYPES),
    },
    "Condition": {"op": list(OPERATORS), "type": list(TYPES)},
    "FilterIn": {"min-severity": list(RANKS)},
    "MatcherIn": {"mode": ["all", "any"]},
}
"""All values of a field that may have few."""

ITEM_CHOICES: Final[Mapping[str, Mapping[str, list[Any]]]] = {
    "MatcherIn": {"match-severity": list(WORDS)},
}
"""The same, of the items of a list."""
