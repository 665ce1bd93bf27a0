"""The marshmallow schemas of an alarm's JSON form (alarms 1 to 8); rules are in `rule_schema`.

Called by `pipeline.alarms.schema` alone, which turns what they find into Tocsin's errors. A null
is as good as no value, as in Aodh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from marshmallow import ValidationError, fields, post_load, validates_schema
from marshmallow.validate import Range

from pipeline.alarms import schedule
from pipeline.alarms.alarm import COMPOSITE, EventRule, Rule, Severity, State, TimeConstraint
from pipeline.alarms.rule_schema import (
    METRIC_TYPES,
    MISSING,
    CompositeRuleField,
    EventRuleSchema,
)
from pipeline.errors import InvalidValue
from pipeline.masking import MASK, mask_url
from pipeline.registry import one_of
from pipeline.strict_schema import StrictSchema

SUPPORTED_TYPES = ("event", COMPOSITE)
_METRIC_RULES = tuple(f"{name}_rule" for name in METRIC_TYPES)
_SET_BY_THE_STORE = frozenset(
    {"alarm_id", "timestamp", "state_timestamp", "state_reason", "evaluate_timestamp"}
)
ActionCheck: TypeAlias = Callable[[str], None]
"""Raises `InvalidValue` for an action that nothing can carry out, without its secrets."""

_ACTIONS = ("ok_actions", "alarm_actions", "insufficient_data_actions")


class _TimeConstraintSchema(StrictSchema):
    name = fields.String(required=True, error_messages=MISSING)
    description = fields.String(load_default="")
    start = fields.String(required=True, error_messages=MISSING)
    duration = fields.Integer(
        required=True,
        validate=Range(min=0, error="Value should be greater or equal to 0."),
        error_messages=MISSING,
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

    ignored = _SET_BY_THE_STORE.union(_METRIC_RULES)

    name = fields.String(required=True, error_messages=MISSING)
    type = fields.String(required=True, error_messages=MISSING)
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
    event_rule = fields.Nested(EventRuleSchema)
    composite_rule = CompositeRuleField()

    def __init__(self, check_action: ActionCheck, max_actions: int) -> None:
        self._check_action, self._max_actions = check_action, max_actions
        super().__init__()

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _rule_of_the_type(self, _: Any, original: Any, **__: Any) -> None:
        if not isinstance(original, Mapping) or not isinstance(original.get("type"), str):
            return
        if original["type"] not in SUPPORTED_TYPES:
            raise ValidationError(_unsupported_type(original["type"]), "type")
        type = original["type"]
        rule = f"{type}_rule"
        if original.get(rule) is None:
            raise ValidationError(f"{rule} must be set for {type} type alarm", rule)
        for other in (*(f"{name}_rule" for name in SUPPORTED_TYPES), *_METRIC_RULES):
            if other != rule and original.get(other):
                message = f"{rule} and {other} cannot be set at the same time"
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
        rules = {name: data.pop(f"{name}_rule", None) for name in SUPPORTED_TYPES}
        rule: Rule = rules[data["type"]]
        return {
            **data,
            "rule": rule,
            "description": data["description"] or default_description(rule),
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


def default_description(rule: Rule) -> str:
    """The description of an alarm that was given none: Aodh's."""
    if isinstance(rule, EventRule):
        return f"Alarm when {rule.event_type} event occurred."
    return "composite alarm rule"


def _unsupported_type(name: str) -> str:
    if name in METRIC_TYPES:
        known = ", ".join(SUPPORTED_TYPES)
        return f"Alarms of type {name} need a metrics database. Supported types: {known}."
    start = f"Invalid input for field/attribute type. Value: {name!r}."
    return f"{start} {one_of(name, SUPPORTED_TYPES)}"
