"""The marshmallow schemas of an alarm's JSON form (alarms 1 to 4, 6 to 8).

Called by `pipeline.alarms.schema` alone, which turns what they find into Tocsin's errors. A null
is as good as no value, as in Aodh.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeAlias

from marshmallow import ValidationError, fields, post_load, validates_schema
from marshmallow.validate import Range

from pipeline.alarms import conditions, schedule
from pipeline.alarms.alarm import Condition, EventRule, Severity, State, TimeConstraint
from pipeline.errors import InvalidValue
from pipeline.masking import MASK, mask_url
from pipeline.registry import one_of
from pipeline.strict_schema import StrictSchema

SUPPORTED_TYPES = ("event",)
METRIC_TYPES = (
    "gnocchi_resources_threshold",
    "gnocchi_aggregation_by_metrics_threshold",
    "gnocchi_aggregation_by_resources_threshold",
    "prometheus",
    "loadbalancer_member_health",
)
_OTHER_RULES = tuple(f"{name}_rule" for name in (*METRIC_TYPES, "composite"))
_SET_BY_THE_STORE = frozenset(
    {"alarm_id", "timestamp", "state_timestamp", "state_reason", "evaluate_timestamp"}
)
ActionCheck: TypeAlias = Callable[[str], None]
"""Raises `InvalidValue` for an action that nothing can carry out, without its secrets."""

_ACTIONS = ("ok_actions", "alarm_actions", "insufficient_data_actions")
_FIELD_NAME = re.compile(r"[a-zA-Z.',0-9_-]*")
_MISSING: dict[str, Any] = {"required": "Mandatory field missing."}


class _ConditionSchema(StrictSchema):
    """One condition. Its value is kept as text, as Aodh has it: `5` becomes `'5'`."""

    field = fields.String(required=True, error_messages=_MISSING)
    op = fields.String(load_default="eq")
    value = fields.Raw(required=True, error_messages=_MISSING)
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


class _EventRuleSchema(StrictSchema):
    event_type = fields.String(load_default="*")
    query = fields.List(fields.Nested(_ConditionSchema), load_default=list)

    @post_load
    def _rule(self, data: dict[str, Any], **_: Any) -> EventRule:
        event_type = data["event_type"] or "*"
        try:
            conditions.glob(event_type)
        except InvalidValue as error:
            raise ValidationError(str(error), "event_type") from error
        return EventRule(event_type, tuple(data["query"]))


class _TimeConstraintSchema(StrictSchema):
    name = fields.String(required=True, error_messages=_MISSING)
    description = fields.String(load_default="")
    start = fields.String(required=True, error_messages=_MISSING)
    duration = fields.Integer(
        required=True,
        validate=Range(min=0, error="Value should be greater or equal to 0."),
        error_messages=_MISSING,
    )
    timezone = fields.String(load_default="")

    @post_load
    def _constraint(self, data: dict[str, Any], **_: Any) -> TimeConstraint:
        start, seconds = data["start"], data["duration"]
        said = data["description"] or f"Time constraint at {start} lasting for {seconds} seconds"
        constraint = TimeConstraint(data["name"], start, seconds, data["timezone"], said)
        try:
            schedule.check(constraint)
        except InvalidValue as error:
            raise ValidationError(str(error), error.field or "start") from error
        return constraint


def _severity(value: str) -> None:
    _one_of_the("severity", value, Severity)


def _state(value: str) -> None:
    _one_of_the("state", value, State)


def _one_of_the(field: str, value: str, known: type[Severity] | type[State]) -> None:
    words = [each.value for each in known]
    if value not in words:
        start = f"Invalid input for field/attribute {field}. Value: {value!r}."
        raise ValidationError(f"{start} {one_of(value, words)}")


class AlarmSchema(StrictSchema):
    """A whole alarm; loads into the fields of `Alarm` that a person may set."""

    ignored = _SET_BY_THE_STORE.union(_OTHER_RULES)

    name = fields.String(required=True, error_messages=_MISSING)
    type = fields.String(required=True, error_messages=_MISSING)
    description = fields.String(load_default="")
    enabled = fields.Boolean(load_default=True)
    severity = fields.String(load_default=Severity.LOW.value, validate=_severity)
    state = fields.String(load_default=State.INSUFFICIENT_DATA.value, validate=_state)
    ok_actions = fields.List(fields.String(), load_default=list)
    alarm_actions = fields.List(fields.String(), load_default=list)
    insufficient_data_actions = fields.List(fields.String(), load_default=list)
    repeat_actions = fields.Boolean(load_default=False)
    time_constraints = fields.List(fields.Nested(_TimeConstraintSchema), load_default=list)
    project_id = fields.String(load_default="")
    user_id = fields.String(load_default="")
    all_projects = fields.Boolean(load_default=False)
    event_rule = fields.Nested(_EventRuleSchema)

    def __init__(self, check_action: ActionCheck, max_actions: int) -> None:
        self._check_action, self._max_actions = check_action, max_actions
        super().__init__()

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _rule_of_the_type(self, _: Any, original: Any, **__: Any) -> None:
        if not isinstance(original, Mapping) or not isinstance(original.get("type"), str):
            return
        if original["type"] not in SUPPORTED_TYPES:
            raise ValidationError(_unsupported_type(original["type"]), "type")
        if original.get("event_rule") is None:
            raise ValidationError("event_rule must be set for event type alarm", "event_rule")
        for other in _OTHER_RULES:
            if original.get(other):
                message = f"event_rule and {other} cannot be set at the same time"
                raise ValidationError(message, other)

    @validates_schema(skip_on_field_errors=False)
    def _actions(self, data: Mapping[str, Any], **_: Any) -> None:
        problems = {}
        for name in _ACTIONS:
            urls = list(dict.fromkeys(data.get(name) or ()))
            said = [text for url in urls if (text := self._problem_with(url))]
            if 0 < self._max_actions < len(urls):
                said.append(f"{name} count exceeds maximum value {self._max_actions}")
            if said:
                problems[name] = said
        if problems:
            raise ValidationError(problems)

    @validates_schema(skip_on_field_errors=False)
    def _constraint_names(self, data: Mapping[str, Any], **_: Any) -> None:
        constraints = [c for c in data.get("time_constraints") or () if c]
        names = [c.name for c in constraints if isinstance(c, TimeConstraint)]
        if len(names) > len(set(names)):
            message = "Time constraint names must be unique for a given alarm."
            raise ValidationError(message, "time_constraints")

    @post_load
    def _alarm_fields(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        rule: EventRule = data.pop("event_rule")
        return {
            **data,
            "rule": rule,
            "description": data["description"] or f"Alarm when {rule.event_type} event occurred.",
            "severity": Severity(data["severity"]),
            "state": State(data["state"]),
            "time_constraints": tuple(data["time_constraints"]),
            **{name: tuple(dict.fromkeys(data[name])) for name in _ACTIONS},
        }

    def _problem_with(self, url: str) -> str:
        """What is wrong with an action, '' for nothing. No secret of it is shown."""
        if MASK in url:
            return (
                f"{mask_url(url)}: the secret is missing. Write it in the place of {MASK}, or name"
                " a target."
            )
        try:
            self._check_action(url)
        except InvalidValue as error:
            return str(error)
        return ""


def _unsupported_type(name: str) -> str:
    if name in METRIC_TYPES:
        known = ", ".join(SUPPORTED_TYPES)
        return f"Alarms of type {name} need a metrics database. Supported types: {known}."
    start = f"Invalid input for field/attribute type. Value: {name!r}."
    return f"{start} {one_of(name, SUPPORTED_TYPES)}"
