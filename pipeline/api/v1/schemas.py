"""What documents of /v1 look like: the schemas of its OpenAPI description.

They describe what the desk takes and gives, and check nothing but queries. A test holds them
against real answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, ValidationError, fields, validate

from pipeline.alarms.alarm import Severity, State
from pipeline.alarms.alarm_schema import AlarmSchema
from pipeline.alarms.schema import flat
from pipeline.api.quota_documents import QuotasDocument
from pipeline.desk.base import MOST_AT_ONCE
from pipeline.desk.choices import DeadLettersToPurge, DeadLettersToReplay, Ids, PublicationsChoice
from pipeline.errors import InvalidValue
from pipeline.targets import check_action

_DEFAULT_LIMIT = 100


def about(text: str, **more: Any) -> dict[str, Any]:
    """The metadata of a field: what it is, for people."""
    return {"metadata": {"description": text, **more}}


class Query(Schema):
    """The arguments of a query, and no others."""

    class Meta:
        unknown = RAISE


class PageQuery(Query):
    """Which part of a list."""

    limit = fields.Integer(
        load_default=_DEFAULT_LIMIT,
        validate=validate.Range(min=1, max=MOST_AT_ONCE),
        **about("At most so many."),
    )
    marker = fields.String(
        load_default=None, **about("Go on after this one; `next` of a page has it.")
    )


class ProblemErrorSchema(Schema):
    """One thing that is wrong; of documents that were sent with the place."""

    field = fields.String(required=True, **about("The way to it: `event_rule.query.0.value`."))
    detail = fields.String(required=True)
    file = fields.String(**about("The name of the file that it stands in."))
    line = fields.Integer(allow_none=True)
    column = fields.Integer(allow_none=True)


class ProblemSchema(Schema):
    """An error (RFC 9457): what is wrong, in which field, and how to mend it."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    request_id = fields.String(required=True, **about("Stands beside the error in the log."))
    errors = fields.List(fields.Nested(ProblemErrorSchema))


class AlarmOut(Schema):
    """An alarm: Aodh's fields, its actions without secrets."""

    class Meta:
        unknown = INCLUDE

    alarm_id = fields.String(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    type = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    state = fields.String(required=True, validate=validate.OneOf(list(map(str, State))))
    severity = fields.String(required=True, validate=validate.OneOf(list(map(str, Severity))))
    project_id = fields.String(required=True)
    user_id = fields.String(required=True)
    all_projects = fields.Boolean(
        required=True, **about("Whether it sees every project's events.")
    )
    digest = fields.String(required=True, **about("Changes with every change by a person."))


class HistoryOut(Schema):
    """A line of an alarm's history."""

    event_id = fields.String(required=True)
    alarm_id = fields.String(required=True)
    type = fields.String(required=True)
    detail = fields.String(required=True, **about("What changed, as JSON text."))
    project_id = fields.String(required=True, **about("The project of who changed it."))
    user_id = fields.String(required=True, **about("Who changed it."))
    on_behalf_of = fields.String(required=True, **about("The alarm's project."))
    timestamp = fields.String(required=True)


class NamesOut(Schema):
    """Names, or actions."""

    items = fields.List(fields.String(), required=True)


class AlarmsIn(Schema):
    """Several alarms."""

    alarms = fields.List(fields.Dict(), required=True, **about("Each as for POST /v1/alarms."))


class StateDocument(Schema):
    """An alarm's state."""

    state = fields.String(required=True, validate=validate.OneOf(list(map(str, State))))


class EntryOut(Schema):
    """A target, group, filter or matcher, with the properties of its kind and type."""

    class Meta:
        unknown = INCLUDE

    name = fields.String(required=True)
    disable = fields.Boolean(required=True)
    origin = fields.String(
        required=True, validate=validate.OneOf(["builtin", "modified-builtin", "user-created"])
    )
    digest = fields.String(required=True, **about("Changes with every change of it."))


class CapabilitiesOut(Schema):
    """What Aodh's API can do here."""

    api = fields.Dict(keys=fields.String(), values=fields.Boolean(), required=True)
    alarm_storage = fields.Dict(keys=fields.String(), values=fields.Boolean(), required=True)


def page_of(schema: type[Schema], name: str) -> type[Schema]:
    """The schema of a page: `items`, and in `next` the path of the page that follows."""
    members: dict[str, fields.Field[Any]] = {
        "items": fields.List(fields.Nested(schema), required=True),
        "next": fields.String(
            required=True, allow_none=True, **about("The path of the page that follows, or null.")
        ),
    }
    made = Schema.from_dict(members, name=name)
    made.__doc__ = "A part of a list."
    return made


def loaded(schema: type[Schema], body: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent, as the schema loads it. Raises `InvalidValue` with all that is wrong."""
    try:
        found: dict[str, Any] = schema().load(dict(body))
    except ValidationError as error:
        messages = error.messages_dict
        said = [f"{name}: {text}" if name else text for name, text in flat(messages)]
        raise InvalidValue("; ".join(said), None, messages) from error
    return found


COMPONENTS: Mapping[str, type[Schema] | Schema] = {
    "Problem": ProblemSchema,
    "AlarmIn": AlarmSchema(check_action, -1),
    "AlarmsIn": AlarmsIn,
    "QuotasIn": QuotasDocument,
    "State": StateDocument,
    "RejectedEventsToReplay": Ids,
    "DeadLettersToReplay": DeadLettersToReplay,
    "DeadLettersToPurge": DeadLettersToPurge,
    "PublicationsChoice": PublicationsChoice,
}
"""Those that are named by what refers to them."""
