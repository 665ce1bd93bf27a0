"""The marshmallow schemas of rules: conditions on events, and composites of them (alarms 3, 5, 6).

Called by `pipeline.alarms.alarm_schema`. Error texts are Aodh's where Aodh has one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, post_load

from pipeline.alarms import conditions
from pipeline.alarms.alarm import CompositeRule, Condition, EventRule, Reference
from pipeline.errors import InvalidValue
from pipeline.strict_schema import StrictSchema

METRIC_TYPES = (
    "gnocchi_resources_threshold",
    "gnocchi_aggregation_by_metrics_threshold",
    "gnocchi_aggregation_by_resources_threshold",
    "prometheus",
    "loadbalancer_member_health",
)
MISSING: dict[str, Any] = {"required": "Mandatory field missing."}
DEEPEST, MOST_LEAVES = 10, 200
"""How deep a composite rule may be nested, and of how many rules it may be made."""

_FIELD_NAME = re.compile(r"[a-zA-Z.',0-9_-]*")
_OPERATORS = ("and", "or")
_LEAF_TYPES = ("event",)


class ConditionSchema(StrictSchema):
    """One condition. Its value is kept as text, as Aodh has it: `5` becomes `'5'`."""

    field = fields.String(required=True, error_messages=MISSING)
    op = fields.String(load_default="eq")
    value = fields.Raw(required=True, error_messages=MISSING)
    type = fields.String(load_default="")

    @post_load
    def _condition(self, data: dict[str, Any], **_: Any) -> Condition:
        if not _FIELD_NAME.fullmatch(data["field"]):
            message = (
                f"Query value or traits invalid: field {data['field']!r} may have letters, digits"
                " and . ' , _ - only."
            )
            raise ValidationError(message, "field")
        type = data["type"] or _type_of(data["value"])
        value = _value_text(data["value"], type)
        try:
            conditions.clause(data["field"], data["op"], type)
            conditions.constant(value, type)
        except InvalidValue as error:
            raise ValidationError(str(error), error.field or "value") from error
        return Condition(data["field"], data["op"], value, type)


def _type_of(value: Any) -> str:
    """The type that a value has by itself; '' for a text, which may be anything."""
    kinds = ((bool, "boolean"), (int, "integer"), (float, "float"), (date, "datetime"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "")


def _value_text(value: Any, type: str) -> str:
    if isinstance(value, bool):
        # In a text trait JSON's true is 'True'.
        return str(value) if type == "string" else str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValidationError("A text, a number or a boolean is needed here.", "value")


class EventRuleSchema(StrictSchema):
    """An event rule; loads into an `EventRule`."""

    event_type = fields.String(load_default="*")
    query = fields.List(fields.Nested(ConditionSchema), load_default=list)

    @post_load
    def _rule(self, data: dict[str, Any], **_: Any) -> EventRule:
        event_type = data["event_type"] or "*"
        try:
            conditions.glob(event_type)
        except InvalidValue as error:
            raise ValidationError(str(error), "event_type") from error
        return EventRule(event_type, tuple(data["query"]))


class CompositeRuleField(fields.Field[CompositeRule]):
    """A composite rule; loads into a `CompositeRule`, references as they are given.

    A leaf is `{"type": "event", …}` with an event rule's own fields beside its type, as Aodh
    writes leaves, or `{"alarm": id or name}`.
    """

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> CompositeRule:
        rule = _composite(value, 1)
        if len(rule.leaves) > MOST_LEAVES:
            raise ValidationError(f"A composite rule may have {MOST_LEAVES} rules at most.")
        return rule


def _composite(value: Any, depth: int) -> CompositeRule:
    if not isinstance(value, Mapping):
        raise ValidationError(_invalid(value))
    if len(value) != 1 or (op := next(iter(value))) not in _OPERATORS:
        raise ValidationError('Threshold rules should be combined with "and" or "or"')
    given = value[op]
    if not isinstance(given, list) or not given:
        raise ValidationError(_invalid(value))
    if depth > DEEPEST:
        raise ValidationError(f"A composite rule may be nested {DEEPEST} deep at most.")
    parts, problems = [], {}
    for number, each in enumerate(given):
        try:
            parts.append(_part(each, depth))
        except ValidationError as error:
            problems[number] = error.messages
    if problems:
        raise ValidationError({op: problems})
    return CompositeRule(op, tuple(parts))


def _part(value: Any, depth: int) -> CompositeRule | EventRule | Reference:
    if not isinstance(value, Mapping):
        raise ValidationError(_invalid(value))
    if "alarm" in value:
        return _reference(value)
    if len(value) == 1 and "type" not in value:
        return _composite(value, depth + 1)
    return _event_rule(value)


def _reference(value: Mapping[str, Any]) -> Reference:
    alarm = value["alarm"]
    if not isinstance(alarm, str) or not alarm:
        raise ValidationError({"alarm": ["The id or the name of an alarm is needed here."]})
    if len(value) > 1:
        others = ", ".join(str(key) for key in value if key != "alarm")
        raise ValidationError({"alarm": [f"A reference has nothing but an alarm, not {others}."]})
    return Reference(alarm)


def _event_rule(value: Mapping[str, Any]) -> EventRule:
    type = value.get("type")
    if not type:
        raise ValidationError("type must be set in every rule")
    if type not in _LEAF_TYPES:
        raise ValidationError({"type": [_unsupported_leaf(type)]})
    fields = {key: each for key, each in value.items() if key != "type"}
    rule: EventRule = EventRuleSchema().load(fields)
    return rule


def _unsupported_leaf(type: Any) -> str:
    if type in METRIC_TYPES:
        known = ", ".join(_LEAF_TYPES)
        return f"Rules of type {type} need a metrics database. Supported types: {known}."
    return (
        f"Unsupported sub-rule type :{type} in composite rule, should be one of:"
        f" {list(_LEAF_TYPES)}"
    )


def _invalid(value: Any) -> str:
    """Aodh's words, but for what a rule may be made of."""
    return (
        f'Invalid input composite rule: {_cut(value)}, it should be a dict with an "and" or "or"'
        " as key, and the value of dict should be a list of event rules, references to alarms or"
        " sub composite rules, can be nested."
    )


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
