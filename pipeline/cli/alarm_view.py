"""An alarm as people and scripts see it: Aodh's field names, flattened as aodhclient does.

Pure. Called by `pipeline.cli.alarms`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipeline.alarms.conditions import SIGNS
from pipeline.desk import Document

_LEFT_OUT = ("digest",)
LIST_COLUMNS = ("alarm_id", "type", "name", "state", "severity", "enabled")


def row(alarm: Document) -> tuple[Any, ...]:
    """An alarm as a row of `LIST_COLUMNS`."""
    return tuple(alarm[name] for name in LIST_COLUMNS)


def details(alarm: Document) -> Mapping[str, Any]:
    """Everything about an alarm by name, in their order; an event rule's fields stand among its
    own, a composite rule is JSON.

    Conditions and time constraints are text for people.
    """
    fields = {name: value for name, value in alarm.items() if name not in _LEFT_OUT}
    if rule := fields.pop("event_rule", None):
        fields |= {"event_type": rule["event_type"], "query": query_text(rule["query"])}
    if rule := fields.get("composite_rule"):
        fields["composite_rule"] = json.dumps(rule, indent=2)
    if constraints := fields["time_constraints"]:
        fields["time_constraints"] = json.dumps(constraints, sort_keys=True, indent=2)
    return dict(sorted(fields.items()))


def unasked(alarm: Document) -> Collection[str]:
    """What is shown only if it is asked for: what Aodh's alarms do not have, and is not so."""
    return () if alarm["all_projects"] else ("all_projects",)


def query_text(query: Sequence[Mapping[str, Any]]) -> str:
    """The conditions for people: `a = b AND`, one a line."""
    lines = (f"{c['field']} {SIGNS.get(c['op'], c['op'])} {c['value']}" for c in query)
    return " AND\n".join(lines)
