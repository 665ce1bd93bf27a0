"""Rules ⇄ documents: how an alarm's rule, and the states of its conditions, are kept.

Pure. Called by `pipeline.store.rows` and `pipeline.store.sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.alarms.alarm import (
    Alarm,
    CompositeRule,
    Condition,
    EventRule,
    Reference,
    Rule,
    State,
)
from pipeline.store.documents import from_json, to_json

_STATES = {state.value: state for state in State}


def rule_from(text: str) -> Rule:
    """The rule of a document."""
    document = from_json(text)
    return _event_rule(document) if "query" in document else _composite_rule(document)


def _event_rule(document: Mapping[str, Any]) -> EventRule:
    conditions = tuple(
        Condition(field=c["field"], op=c["op"], value=c["value"], type=c["type"])
        for c in document["query"]
    )
    return EventRule(event_type=document["event_type"], query=conditions)


def _composite_rule(document: Mapping[Any, Any]) -> CompositeRule:
    ((op, parts),) = document.items()
    return CompositeRule(op, tuple(map(_part, parts)))


def _part(document: Mapping[str, Any]) -> CompositeRule | EventRule | Reference:
    if "alarm" in document:
        return Reference(document["alarm"])
    return _event_rule(document) if "query" in document else _composite_rule(document)


def leaf_states_from(text: str) -> tuple[State, ...]:
    """The states of a composite alarm's event conditions, of what was kept."""
    return tuple(_STATES[state] for state in from_json(text))


def leaf_states_text(alarm: Alarm) -> str | None:
    """The states of a composite alarm's event conditions, as they are kept."""
    return to_json(alarm.leaf_states) if alarm.leaf_states else None
