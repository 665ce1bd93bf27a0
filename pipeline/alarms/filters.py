"""`alarm list --filter k=v --sort key:direction` → what the store's search takes.

Pure. The names are those of Aodh's simple query (alarms 19, 20). Called by the command and by
the API.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

import iso8601

from pipeline.alarms.alarm import Severity, State
from pipeline.errors import InvalidValue
from pipeline.registry import one_of

_FIELDS = (
    "name",
    "type",
    "state",
    "severity",
    "enabled",
    "repeat_actions",
    "project_id",
    "user_id",
    "timestamp",
    "alarm_id",
    "event_type",
)
_WORDS = {"state": list(map(str, State)), "severity": list(map(str, Severity))}
_SWITCHES = ("enabled", "repeat_actions")
_SWITCH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_DEFAULT_SORT = (("timestamp", "desc"),)


def filters_of(texts: Iterable[str]) -> dict[str, Any]:
    """The filters in `KEY=VALUE` texts, each of which may hold several with `;` between them.

    `all_projects` asks Aodh for the alarms of every project; here those are always listed, so it
    is taken and changes nothing.
    """
    parts = [part for text in texts for part in text.split(";") if part.strip()]
    filters = dict(_filter(part) for part in parts)
    filters.pop("all_projects", None)
    return filters


def sort_of(texts: Sequence[str]) -> Sequence[tuple[str, str]]:
    """The sort keys in `KEY[:DIRECTION]` texts; the newest first where there are none."""
    if not texts:
        return _DEFAULT_SORT
    parts = (text.partition(":") for text in texts)
    return [(key, direction or "asc") for key, _, direction in parts]


def _filter(text: str) -> tuple[str, Any]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise InvalidValue(f"filter {text!r} has no =. Write KEY=VALUE.", "filter")
    if key not in (*_FIELDS, "all_projects"):
        raise InvalidValue(f"filter: unknown key {key!r}. {one_of(key, _FIELDS)}", "filter")
    return key, _value(key, value)


def _value(key: str, value: str) -> Any:
    if key in _SWITCHES:
        if value.lower() not in _SWITCH:
            raise InvalidValue(f"filter: {key} is true or false, not {value!r}.", "filter")
        return _SWITCH[value.lower()]
    if key in _WORDS and value not in _WORDS[key]:
        known = one_of(value, _WORDS[key])
        raise InvalidValue(f"filter: unknown {key} {value!r}. {known}", "filter")
    if key == "timestamp":
        try:
            return iso8601.parse_date(value).astimezone(UTC)
        except iso8601.ParseError as error:
            example = "Write 2026-01-02T12:00:00Z."
            raise InvalidValue(f"filter: {value!r} is no time. {example}", "filter") from error
    return value
