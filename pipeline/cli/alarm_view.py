"""An alarm as people and scripts see it: Aodh's field names, flattened as aodhclient does.

Pure. Called by `pipeline.cli.alarms`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.alarms.alarm import Alarm, EventRule
from pipeline.alarms.schema import as_dict
from pipeline.cli.queries import SIGNS

LIST_COLUMNS = ("alarm_id", "type", "name", "state", "severity", "enabled")


def row(alarm: Alarm) -> tuple[Any, ...]:
    """An alarm as a row of `LIST_COLUMNS`."""
    fields = as_dict(alarm)
    return tuple(fields[name] for name in LIST_COLUMNS)


def details(alarm: Alarm) -> Mapping[str, Any]:
    """Everything about an alarm by name, in their order; an event rule's fields stand among its
    own, a composite rule is JSON.

    The secrets in its actions are masked. Conditions and time constraints are text for people.
    """
    fields = as_dict(alarm, mask=True)
    if isinstance(alarm.rule, EventRule):
        del fields["event_rule"]
        fields |= {"event_type": alarm.rule.event_type, "query": query_text(alarm.rule)}
    else:
        fields["composite_rule"] = json.dumps(fields["composite_rule"], indent=2)
    if constraints := fields["time_constraints"]:
        fields["time_constraints"] = json.dumps(constraints, sort_keys=True, indent=2)
    return dict(sorted(fields.items()))


def query_text(rule: EventRule) -> str:
    """The conditions for people: `a = b AND`, one a line."""
    lines = (f"{c.field} {SIGNS.get(c.op, c.op)} {c.value}" for c in rule.query)
    return " AND\n".join(lines)
