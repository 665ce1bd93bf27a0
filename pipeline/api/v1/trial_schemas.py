"""What is sent and answered where alarms are tried out (`pipeline.api.v1.trials`)."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema, fields, validate

from pipeline.alarms.alarm import State
from pipeline.alarms.explaining import About
from pipeline.alarms.found import Is
from pipeline.api.v1.references import AboutSchema
from pipeline.api.v1.schemas import about
from pipeline.desk.base import MOST_AT_ONCE
from pipeline.strict_schema import StrictSchema

MOST_EVENTS = 100_000
"""How many events a request may look at."""
MOST_NEWEST = 1_000
_STATES = validate.OneOf(list(map(str, State)))


class ExplainAlarmIn(AboutSchema):
    """An event: one in the archive, or one that is sent along; and when it is to have come."""

    at = fields.AwareDateTime(
        format="iso",
        **about("As if the event came then; unless it is given, when it was generated."),
    )


class TrialIn(StrictSchema):
    """Alarms, and events that they are tried out on: some of your own, or those in the archive."""

    alarms = fields.List(
        fields.Dict(),
        required=True,
        validate=validate.Length(min=1, max=MOST_AT_ONCE),
        **about("Each as for POST /v1/alarms."),
    )
    events = fields.List(
        fields.Raw(),
        **about("Each an object as in `message` of an explanation, or a text: a line of a file."),
    )
    since = fields.AwareDateTime(format="iso", **about("Of the archive: generated then or later."))
    until = fields.AwareDateTime(format="iso", **about("Generated then or earlier."))
    newest = fields.Integer(
        load_default=10,
        validate=validate.Range(min=0, max=MOST_NEWEST),
        **about("So many of an alarm's matches are told, the last generated ones."),
    )


class CheckOut(Schema):
    """One thing that must be so for the alarm to fire."""

    rule = fields.String(
        required=True, allow_none=True, **about("The leaf of a composite rule that it is of.")
    )
    check = fields.String(required=True, validate=validate.OneOf(list(map(str, About))))
    field = fields.String(required=True, allow_none=True, **about("Of a condition."))
    op = fields.String(required=True, allow_none=True)
    type = fields.String(required=True, allow_none=True)
    holds = fields.Boolean(required=True)
    wanted = fields.String(required=True)
    found = fields.Raw(required=True, allow_none=True, **about("What the event or alarm has."))
    found_type = fields.String(required=True, validate=validate.OneOf(list(map(str, Is))))
    why = fields.String(required=True, **about("For people: what that means, how to mend it."))


class ExplanationOut(Schema):
    """Why an alarm, as it stands, does or does not fire on an event. An event alarm fires if all
    checks hold."""

    alarm_id = fields.String(required=True)
    name = fields.String(required=True)
    message_id = fields.String(required=True)
    event_type = fields.String(required=True)
    generated = fields.String(required=True)
    at = fields.String(required=True, **about("The time for which it is said."))
    fires = fields.Boolean(required=True)
    verdict = fields.String(required=True)
    previous = fields.String(required=True, validate=_STATES)
    current = fields.String(required=True, validate=_STATES)
    reason = fields.String(required=True, allow_none=True)
    form = fields.String(
        required=True, allow_none=True, **about("A composite rule: (rule1 and rule2).")
    )
    checks = fields.List(fields.Nested(CheckOut), required=True)
    fired_at = fields.String(
        required=True, allow_none=True, **about("When the event has fired the alarm before.")
    )


class _RejectionOut(Schema):
    """An event that is none, and why."""

    line = fields.Integer(required=True)
    reason = fields.String(required=True)


class _MatchOut(Schema):
    """An event on which the rule of an alarm holds."""

    message_id = fields.String(required=True)
    event_type = fields.String(required=True)
    generated = fields.String(required=True)
    fires = fields.Boolean(required=True, **about("It fires; else it is silent already."))


class _FailingOut(Schema):
    """A condition that did not hold, and how often."""

    check = fields.String(required=True)
    failed = fields.Integer(required=True)
    of = fields.Integer(required=True)
    why = fields.String(required=True, **about("Of one of these events."))


class TriedOut(Schema):
    """What came of an alarm."""

    alarm_id = fields.String(required=True, **about("Made up for the trial."))
    name = fields.String(required=True)
    of_type = fields.Integer(required=True, **about("Events of its type, of every project."))
    matches = fields.Integer(required=True)
    firings = fields.Integer(required=True, **about("Matches on which it would have told."))
    repeat_actions = fields.Boolean(required=True)
    first = fields.String(required=True, allow_none=True)
    last = fields.String(required=True, allow_none=True)
    newest = fields.List(fields.Nested(_MatchOut), required=True)
    failing = fields.List(
        fields.Nested(_FailingOut), required=True, **about("What failed most, without a match.")
    )
    silent = fields.String(required=True, **about("The same in words."))


class TrialOut(Schema):
    """What came of a trial."""

    events = fields.Integer(required=True, **about("How many were looked at."))
    rejected = fields.Integer(required=True, **about("How many lines were no event."))
    rejections = fields.List(fields.Nested(_RejectionOut), required=True)
    stopped_at = fields.String(
        required=True,
        allow_none=True,
        **about(f"There are more than {MOST_EVENTS:,}: go on with `since` from here."),
    )
    alarms = fields.List(fields.Nested(TriedOut), required=True)


COMPONENTS: Mapping[str, type[Schema]] = {"ExplainAlarmIn": ExplainAlarmIn, "TrialIn": TrialIn}
