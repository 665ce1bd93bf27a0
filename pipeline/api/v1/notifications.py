"""/v1/kinds, /v1/templates, /v1/notifications: what is told, in which words, and by people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from pipeline.access import Permission
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.references import AboutSchema, reference_in
from pipeline.api.v1.schemas import about, loaded, page_of
from pipeline.desk import Document, Page
from pipeline.desk.told import PREVIEW_FORMATS
from pipeline.kinds import Policy
from pipeline.severity import WORDS
from pipeline.strict_schema import StrictSchema

_FIELDS = "The fields by name. A text is read as the field's type says: `17GiB`, `2h`."
_SEVERITY = "How severe it is; without it, as the kind says."


class KindFieldOut(Schema):
    """A field that a kind guarantees."""

    name = fields.String(required=True)
    type = fields.String(required=True)
    required = fields.Boolean(required=True)
    description = fields.String(required=True)


class KindOut(Schema):
    """A kind of notifications."""

    id = fields.String(required=True)
    description = fields.String(required=True)
    severity = fields.String(required=True)
    policy = fields.String(
        required=True,
        validate=validate.OneOf(list(map(str, Policy))),
        **about("Whether matchers see it; `auto`: from severity error on."),
    )
    target = fields.String(required=True, **about("Who is always told."))
    template = fields.String(required=True)
    fields_ = fields.List(fields.Nested(KindFieldOut), required=True, data_key="fields")
    other_fields = fields.Boolean(required=True, **about("Whether others may come along."))
    builtin = fields.Boolean(required=True)


class TemplateOut(Schema):
    """Where a kind's words come from: `shipped`, or a file."""

    kind = fields.String(required=True)
    subject = fields.String(required=True)
    text = fields.String(required=True)
    html = fields.String(required=True)
    markdown = fields.String(required=True)


class PreviewIn(AboutSchema):
    """What to put into words: an example, or something past."""

    kind = fields.String(required=True)
    format = fields.String(load_default="text", validate=validate.OneOf(PREVIEW_FORMATS))
    alarm = fields.String(**about("The alarm that the event fires: its id or name."))
    fields_ = fields.Dict(
        keys=fields.String(), load_default=dict, data_key="fields", **about(_FIELDS)
    )
    severity = fields.String(validate=validate.OneOf(WORDS))


class PreviewOut(Schema):
    """A notification in words."""

    title = fields.String(required=True)
    body = fields.String(required=True, **about("In the format; empty for `subject`."))
    failures = fields.List(
        fields.String(), required=True, **about("Templates that were passed over, and why.")
    )


class SendIn(StrictSchema):
    """A notification."""

    kind = fields.String(required=True)
    fields_ = fields.Dict(
        keys=fields.String(), load_default=dict, data_key="fields", **about(_FIELDS)
    )
    severity = fields.String(validate=validate.OneOf(WORDS), **about(_SEVERITY))
    targets = fields.List(
        fields.String(),
        load_default=list,
        **about("Tell these targets and groups only, whatever matchers and policy say."),
    )


class SentOut(Schema):
    """What was sent, to whom."""

    notification_id = fields.String(required=True)
    actions = fields.List(fields.String(), required=True, **about("Without secrets."))
    nobody = fields.String(
        required=True, **about("Why nobody is told; then nothing was sent. Empty otherwise.")
    )


COMPONENTS = {"PreviewIn": PreviewIn, "SendIn": SendIn}


def blueprints() -> list[Blueprint]:
    """The operations on notifications, their kinds and their templates."""
    return [_notifications(), _kinds(), _templates()]


def _notifications() -> Blueprint:
    notifications = Blueprint(
        "notifications", __name__, description="Notifications of people's own."
    )

    @notifications.operation(
        "POST", "/v1/notifications", Permission.USE, body="SendIn", gives=SentOut
    )
    def send_notification(body: Mapping[str, Any]) -> Document:
        """Send a notification

        It goes where the matchers say, as the policy of its kind allows, or to `targets`. Its
        fields are checked against the kind's contract. A notifier delivers.
        """
        given = loaded(SendIn, body)
        return desk().notifications.send(
            given["kind"], given["fields_"], given.get("severity"), given["targets"]
        )

    return notifications


def _kinds() -> Blueprint:
    kinds = Blueprint("kinds", __name__, description="Kinds of notifications, and their fields.")

    @kinds.operation("GET", "/v1/kinds", Permission.AUDIT, gives=page_of(KindOut, "Kinds"))
    def list_kinds() -> Page:
        """List all kinds, those of your own last"""
        return Page(desk().notifications.kinds())

    @kinds.operation("GET", "/v1/kinds/<kind>", Permission.AUDIT, gives=KindOut)
    def show_kind(kind: str) -> Document:
        """Show a kind with its fields"""
        return desk().notifications.kind(kind)

    return kinds


def _templates() -> Blueprint:
    templates = Blueprint(
        "templates", __name__, description="The words in which notifications are told."
    )

    @templates.operation(
        "GET", "/v1/templates", Permission.AUDIT, gives=page_of(TemplateOut, "Templates")
    )
    def list_templates() -> Page:
        """List where each kind's words come from"""
        return Page(desk().notifications.templates())

    @templates.operation(
        "POST", "/v1/templates/preview", Permission.AUDIT, body="PreviewIn", gives=PreviewOut
    )
    def preview_template(body: Mapping[str, Any]) -> Document:
        """Show what a notification of a kind says, without telling anybody

        A template that fails is passed over, as it would be when it is sent: `failures` say so.
        """
        given = loaded(PreviewIn, body)
        return desk().notifications.preview(
            given["kind"],
            given["format"],
            of=reference_in(given),
            alarm=given.get("alarm"),
            fields=given["fields_"],
            severity=given.get("severity"),
        )

    return templates
