"""/v1/routes, /v1/matcher-fields: where notifications go, and what matchers can look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, fields

from pipeline.access import Permission
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.references import AboutSchema, needed_reference
from pipeline.api.v1.schemas import about, loaded, page_of
from pipeline.desk import Document, Page


class ExplainIn(AboutSchema):
    """Of what to explain who is told."""

    alarm = fields.String(**about("Only of this alarm: its id or name."))


class VerdictOut(Schema):
    """What became of a policy, a matcher or a target, and why."""

    name = fields.String(required=True)
    takes = fields.Boolean(required=True)
    why = fields.String(required=True)


class RoutedOut(Schema):
    """Where one notification goes."""

    alarm = fields.String(required=True, **about("The name of the alarm that is told of."))
    policy = fields.Nested(VerdictOut, required=True)
    matchers = fields.List(fields.Nested(VerdictOut), required=True)
    targets = fields.List(
        fields.Nested(VerdictOut), required=True, **about("Every action and every target.")
    )
    problems = fields.List(
        fields.String(), required=True, **about("Names that lead to nothing, and the like.")
    )


class ExplainedOut(Schema):
    """Who would be told."""

    alarm = fields.String(
        required=True, allow_none=True, **about("The name of the alarm that was asked for.")
    )
    notifications = fields.List(
        fields.Nested(RoutedOut),
        required=True,
        **about("What the event makes of alarms; empty where none fires on it."),
    )


class FieldOut(Schema):
    """A field that matchers can look at."""

    name = fields.String(required=True)
    comment = fields.String(required=True, **about("What it is for."))


class ValueOut(Schema):
    """A value that a field had."""

    field = fields.String(required=True)
    value = fields.String(required=True)
    comment = fields.String(required=True, **about("What it means, where that is known."))


class _ValuesQuery(Schema):
    class Meta:
        unknown = RAISE

    field = fields.String(load_default=None, **about("Only the values of this field."))


COMPONENTS = {"ExplainIn": ExplainIn}


def blueprint() -> Blueprint:
    """The operations on routes."""
    routes = Blueprint("routes", __name__, description="Where notifications go, and why.")

    @routes.operation(
        "POST", "/v1/routes/explain", Permission.AUDIT, body="ExplainIn", gives=ExplainedOut
    )
    def explain_routes(body: Mapping[str, Any]) -> Document:
        """Explain who would be told of an event, and why not the others

        Every enabled alarm that the event fires is looked at, as if it had not fired before; of
        a delivery, what was told there. Nothing is written or told.
        """
        given = loaded(ExplainIn, body)
        return desk().routes.explain(needed_reference(given), given.get("alarm"))

    return routes


def add_to(matchers: Blueprint) -> None:
    """The operations on matchers beside those that every entry has (notifications 13)."""

    @matchers.operation(
        "GET", "/v1/matcher-fields", Permission.AUDIT, gives=page_of(FieldOut, "MatcherFields")
    )
    def list_matcher_fields() -> Page:
        """List the fields that matchers can look at

        Those that kinds of notifications have, and those that were seen lately.
        """
        return Page(desk().routes.fields())

    @matchers.operation(
        "GET",
        "/v1/matcher-field-values",
        Permission.AUDIT,
        query=_ValuesQuery,
        gives=page_of(ValueOut, "MatcherFieldValues"),
    )
    def list_matcher_field_values(query: Mapping[str, Any]) -> Page:
        """List values that fields had lately, the most frequent first"""
        return Page(desk().routes.values(query["field"]))
