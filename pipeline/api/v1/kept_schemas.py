"""What documents of deliveries, rejected events, publications, the archive and the status look
like, for the OpenAPI description; see `pipeline.api.v1.schemas`."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from marshmallow import Schema, fields, validate

from pipeline.api.v1.schemas import Query, about
from pipeline.notification import OUTCOME_NAMES

_MOST_LOOKED_AT = 10_000
_TRAIT_TYPES = ("text", "int", "float", "datetime")
STATES = ("pending", "delivered", "dead", "digested")


def text(description: str, **more: Any) -> fields.String:
    """A text that is always there."""
    return fields.String(required=True, **about(description), **more)


def number(description: str) -> fields.Integer:
    """A whole number that is always there."""
    return fields.Integer(required=True, **about(description))


def moment(description: str, *, none: bool = False) -> fields.String:
    """A time that is always there, or null where there may be `none`."""
    return text(f"{description} ISO 8601 in UTC, without a zone.", allow_none=none)


class CountOut(Schema):
    """How many it was."""

    count = number("So many.")


# --- deliveries ------------------------------------------------------------------------------


class DeliveryOut(Schema):
    """A notification on its way to one action."""

    delivery_id = text("Its id: the `webhook-id` of every attempt.")
    state = text("digested: told in a digest, among others.", validate=validate.OneOf(STATES))
    attempt_count = number("How many attempts were made.")
    kind = text("What sort of thing is told: `alarm-transition`, `digest`, …")
    alarm_id = text("The alarm that is told of; empty where none is.")
    alarm_name = text("Its name when it fired.")
    notification_id = text("What is told: the same for all actions of one notification.")
    message_id = text("The event that caused it; empty for none.")
    action = text("Where it goes, without secrets.")
    receiver = text("The server that receives it, or `target:NAME`.")
    created_at = moment("When it was written.")
    due_at = moment("When it is tried next; null once it is settled.", none=True)
    finished_at = moment("When it was settled; null before.", none=True)
    last_error = text("What went wrong last; empty for nothing.")
    digest_id = text("The delivery that tells of it among others; empty for none.")
    fallback_for = text("The dead letter in whose place it came; empty for none.")


class AttemptOut(Schema):
    """One try of a delivery."""

    number = number("Counts from 1.")
    started_at = moment("When it began.")
    duration_seconds = fields.Float(required=True, **about("How long it took."))
    outcome = text("How it ended.", validate=validate.OneOf(OUTCOME_NAMES))
    status = fields.Integer(
        required=True, allow_none=True, **about("The HTTP status; null for none.")
    )
    error = text("Why it failed or was refused; empty where it was not.")
    note = text("What became of it, where there is more to say.")
    response_head = text("The beginning of what the receiver answered.")


class WholeDeliveryOut(DeliveryOut):
    """A delivery with what it tells and all its attempts."""

    disabled = text("Why its action takes nothing any more; empty while it does.")
    severity = text("How severe it is.")
    previous = text("The alarm's state before; null where none is told of.", allow_none=True)
    current = text("The alarm's state; null where none is told of.", allow_none=True)
    reason = text("Why it is in that; null where no alarm is told of.", allow_none=True)
    told_fields = fields.Dict(
        data_key="fields",
        required=True,
        allow_none=True,
        **about("The fields of what is told where it is no alarm; else null."),
    )
    progress = fields.Dict(
        required=True, **about("What an attempt found out, such as the number of a job's build.")
    )
    attempts = fields.List(fields.Nested(AttemptOut), required=True, **about("In their order."))


# --- rejected events, publications -----------------------------------------------------------


class RejectedEventOut(Schema):
    """A message that was not understood."""

    rejected_id = text("Its id, made of what it says.")
    reason = text("Why it was not understood.")
    source = text("Where it came from.")
    received_at = moment("When it came.")
    content_type = text("What its sender said it is; null for nothing.", allow_none=True)
    truncated = fields.Boolean(
        required=True, **about("Whether its body was cut when it was stored.")
    )


class WholeRejectedEventOut(RejectedEventOut):
    """A message that was not understood, with its headers and body, leaked secrets masked."""

    headers = fields.Dict(required=True, **about("As they came."))
    body = text("What it says: its text, or in base64.")
    body_encoding = text(
        "text, or base64 where the body is no UTF-8.", validate=validate.OneOf(["text", "base64"])
    )


class LeftOut(Schema):
    """A rejected event that was rejected again."""

    rejected_id = text("Which.")
    reason = text("Why.")


class ReplayedOut(Schema):
    """What became of rejected events that were taken in again."""

    taken = number("So many were understood, and have left the list.")
    left = fields.List(fields.Nested(LeftOut), required=True, **about("The others."))


class EventOut(Schema):
    """An event in its wire form, that of Ceilometer."""

    message_id = text("Its id, as its sender made it.")
    event_type = text("What happened.")
    generated = moment("When it happened.")
    traits = fields.List(
        fields.List(fields.Raw(), validate=validate.Length(equal=3)),
        required=True,
        **about(
            "[name, type, value]: type 1 is text, 2 an integer, 3 a float, 4 a time. A float that "
            "JSON cannot say is a text: NaN, Infinity, -Infinity."
        ),
    )


class RawEventOut(EventOut):
    """An event with the notification that it was made of, where that is kept."""

    raw = fields.Dict(required=True, **about("The whole notification; empty where not kept."))


class PublicationOut(Schema):
    """Events that a publisher did not take yet."""

    publication_id = text("Its id.")
    publisher = text("The publisher's URL, without secrets.")
    event_count = number("How many events it holds.")
    attempt_count = number("How often it was tried.")
    created_at = moment("When it was first not taken.")
    due_at = moment("When it is tried next.")
    error = text("Why it was not taken.")


class WholePublicationOut(PublicationOut):
    """A publication with its events."""

    events = fields.List(fields.Nested(RawEventOut), required=True, **about("Its events."))


# --- the archive -----------------------------------------------------------------------------


class ArchivedEventOut(RawEventOut):
    """An event of the archive."""

    received_at = moment("When it was kept.")


class EventTypeOut(Schema):
    """A type of event in the archive."""

    event_type = text("The type.")
    events = number("How many events are of it.")
    first = moment("When the first of them happened.")
    last = moment("When the last of them happened.")


class TraitOut(Schema):
    """A trait of some events; with `name` asked for one of its values."""

    name = fields.String(**about("The trait."))
    type = text("What its value is.", validate=validate.OneOf(_TRAIT_TYPES))
    events = number("In how many events it is.")
    values = fields.Integer(**about("How many values there are."))
    example = fields.Raw(**about("The most frequent value."))
    value = fields.Raw(**about("The value, where those of one trait are asked for."))


# --- status ----------------------------------------------------------------------------------


class DisabledActionOut(Schema):
    """An action, or a receiver, that is told nothing any more."""

    action = text("The action without secrets, or the receiver.")
    reason = text("Why.")


class SparedReceiverOut(Schema):
    """A receiver that has failed lately."""

    receiver = text("The receiver.")
    state = text(
        "open: nothing goes there but a try now and then.",
        validate=validate.OneOf(["open", "half-open", "failing"]),
    )
    since = moment("Since when.", none=True)
    next_try = moment("When it is tried next.", none=True)
    last_error = text("What went wrong last.")


class UnpublishedOut(Schema):
    """What waits for a publisher."""

    publisher = text("The publisher's URL, without secrets.")
    publications = number("How many publications wait.")


def _counts(description: str) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True, **about(description)
    )


def _unpublished() -> fields.List[Any]:
    return fields.List(
        fields.Nested(UnpublishedOut), required=True, **about("What waits for whom.")
    )


class StatusOut(Schema):
    """How much of everything there is, and what wants a person."""

    database = text("The database, without secrets.")
    alarms = number("All alarms.")
    alarms_by_state = _counts("Alarms by their state.")
    revision = number("Counts the changes of alarms by people.")
    firings = number("Pairs of an alarm and an event that fired it.")
    deliveries_by_state = _counts("Deliveries by their state.")
    oldest_due_seconds = fields.Float(
        required=True, **about("How long the delivery that waits longest is beyond its time.")
    )
    rejected_events = number("Messages that were not understood.")
    unpublished_events = number("Events that a publisher did not take yet.")
    disabled_actions = fields.List(
        fields.Nested(DisabledActionOut), required=True, **about("What is told nothing any more.")
    )
    spared_receivers = fields.List(
        fields.Nested(SparedReceiverOut), required=True, **about("Who has failed lately.")
    )
    unpublished_by_publisher = _unpublished()
    transitions_last_5_minutes = number("Counted up to 1,000.")


class BacklogOut(Schema):
    """What waits; counted up to a bound."""

    pending = number("Deliveries to be made.")
    dead = number("Dead letters.")
    rejected = number("Rejected events.")
    disabled = number("Actions that are told nothing any more.")
    oldest_due_seconds = fields.Float(
        required=True, **about("How long the delivery that waits longest is beyond its time.")
    )
    unpublished_by_publisher = _unpublished()


class FiredOut(Schema):
    """An alarm that lately changed its state."""

    alarm_id = text("Which.")
    name = text("Its name; empty if it is deleted.")
    severity = text("Its severity; empty if it is deleted.")
    state = text("The state that it came to.")
    last_at = moment("When it last did.")
    times = number("How often it did.")


class ReceiverOut(Schema):
    """What lately became of the deliveries to one receiver."""

    receiver = text("The receiver.")
    attempts = _counts("Attempts by their outcome.")
    mean_seconds = fields.Float(required=True, **about("How long an attempt took."))
    slowest_seconds = fields.Float(required=True, **about("How long the slowest took."))
    waiting = number("How many deliveries wait for it.")
    breaker = text("open, half-open or failing; empty for who has not failed.")


class LatelyOut(Schema):
    """The last five minutes, of which a bounded part is looked at."""

    transitions = number("Alarms' transitions, counted up to 1,000.")
    transitions_per_second = fields.Float(required=True, **about("Over what was looked at."))
    fired = fields.List(fields.Nested(FiredOut), required=True, **about("The newest first."))
    receivers = fields.List(
        fields.Nested(ReceiverOut),
        required=True,
        **about("Those for which most wait first, then those that take longest."),
    )


class RecentOut(Schema):
    """What goes on, cheap enough to be asked for every few seconds."""

    now = moment("The server's time.")
    database = text("The database, without secrets.")
    backlog = fields.Nested(BacklogOut, required=True, **about("What waits."))
    recent = fields.Nested(LatelyOut, required=True, **about("What happened."))


class CostlyOut(Schema):
    """Alarms that cost much to match."""

    project_id = text("Whose events they are about; null for all.", allow_none=True)
    event_type = text("The events' type.")
    alarms = number("How many of them are looked at for one such event.")


# --- queries ---------------------------------------------------------------------------------


def asked(description: str, *choices: str) -> fields.String:
    """An argument of a query that may be left out."""
    check = validate.OneOf(choices) if choices else None
    return fields.String(load_default=None, validate=check, **about(description))


def _bound(description: str) -> fields.AwareDateTime:
    return fields.AwareDateTime(
        format="iso", default_timezone=UTC, load_default=None, **about(description)
    )


class TimeQuery(Query):
    """From when to when."""

    since = _bound("Generated then or later: ISO 8601, UTC if it does not say otherwise.")
    until = _bound("Generated then or earlier.")


class TypesQuery(TimeQuery):
    """Events of which types, from when to when."""

    type = fields.String(
        load_default="*", **about("Only of this type; * and ? stand for any letters.")
    )


class TraitsQuery(TimeQuery):
    """The traits of which events."""

    type = fields.String(
        required=True, **about("Of events of this type; * and ? stand for any letters.")
    )
    name = asked("Only this trait: its values.")
    limit = fields.Integer(
        load_default=1_000,
        validate=validate.Range(min=1, max=_MOST_LOOKED_AT),
        **about("Look at the newest so many events."),
    )
