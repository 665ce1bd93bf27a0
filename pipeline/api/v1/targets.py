"""/v1/target-types, and targets and receivers at work: tried, and told again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from pipeline.access import Permission
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.references import AboutSchema, reference_in
from pipeline.api.v1.schemas import about, loaded, page_of
from pipeline.desk import Document, Page
from pipeline.notification import OUTCOME_NAMES
from pipeline.strict_schema import StrictSchema


class TypeOut(Schema):
    """A type of target."""

    type = fields.String(required=True)


class OptionOut(Schema):
    """An option of a type of target."""

    option = fields.String(required=True, **about("Its name."))
    holds = fields.String(required=True, **about("What it holds, in words."))
    needed = fields.Boolean(required=True)
    secret = fields.Boolean(required=True, **about("Whether it is kept encrypted, never shown."))


class TestIn(AboutSchema):
    """What a target is told for a try; a test message where nothing is given."""

    __test__ = False


class TestOut(Schema):
    """What came of a try."""

    __test__ = False

    target = fields.String(required=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOME_NAMES))
    status = fields.Integer(
        required=True, allow_none=True, **about("The HTTP status, where there was one.")
    )
    reason = fields.String(required=True, **about("Why it was not taken, or what became of it."))
    seconds = fields.Float(required=True)
    response_head = fields.String(required=True, **about("The beginning of the answer."))


class ReceiverIn(StrictSchema):
    """A receiver."""

    receiver = fields.String(
        required=True,
        validate=validate.Length(min=1),
        **about("An action as an alarm has it, a receiver as `/v1/status` shows it, or a target's "
                "name."),
    )  # fmt: skip


class EnabledOut(Schema):
    """Whether somebody was disabled or spared until now."""

    receiver = fields.String(required=True, **about("Without secrets."))
    enabled = fields.Boolean(
        required=True, **about("False where it was neither disabled nor spared.")
    )


COMPONENTS = {"TestIn": TestIn, "ReceiverIn": ReceiverIn}


def add_to(targets: Blueprint) -> None:
    """The operations on targets beside those that every entry has."""
    _add_types(targets)
    _add_work(targets)


def _add_types(targets: Blueprint) -> None:
    @targets.operation(
        "GET", "/v1/target-types", Permission.AUDIT, gives=page_of(TypeOut, "TargetTypes")
    )
    def list_target_types() -> Page:
        """List the types that a target may have"""
        return Page([{"type": name} for name in desk().targets.types()])

    @targets.operation(
        "GET",
        "/v1/target-types/<type>/options",
        Permission.AUDIT,
        gives=page_of(OptionOut, "TargetOptions"),
    )
    def list_target_options(type: str) -> Page:
        """List the options of a type of target"""
        return Page(desk().targets.options(type))


def _add_work(targets: Blueprint) -> None:
    @targets.operation(
        "POST", "/v1/targets/<name>/test", Permission.USE, body="TestIn", gives=TestOut
    )
    def test_target(name: str, body: Mapping[str, Any]) -> Document:
        """Tell a target something now, and see what comes of it

        Filters, and whether it is disabled, are not looked at; nothing is recorded or tried
        again. That it was not taken is no error: `outcome` says so.
        """
        return desk().targets.test(name, reference_in(loaded(TestIn, body)))

    @targets.operation("POST", "/v1/targets/<name>/enable", Permission.MANAGE, gives=EnabledOut)
    def enable_target(name: str) -> Document:
        """Tell a target again that was disabled because it failed, or is spared"""
        return desk().targets.enable(f"target:{name}")

    @targets.operation(
        "POST", "/v1/receivers/enable", Permission.MANAGE, body="ReceiverIn", gives=EnabledOut
    )
    def enable_receiver(body: Mapping[str, Any]) -> Document:
        """Tell a receiver again that was disabled because it failed, or is spared"""
        return desk().targets.enable(loaded(ReceiverIn, body)["receiver"])
