"""/v1/apply and /v1/export: everything as files, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from pipeline.access import Permission
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.references import FileSchema
from pipeline.api.v1.schemas import about, loaded
from pipeline.as_code import Item
from pipeline.as_code.items import LISTS
from pipeline.desk import Document
from pipeline.errors import Problem
from pipeline.past import Content
from pipeline.strict_schema import StrictSchema


def _check_item(given: Mapping[str, Any]) -> None:
    known = " or ".join(LISTS.values())
    if len(given) != 1 or not given.keys() <= set(LISTS.values()):
        raise ValidationError(f"Give one of {known}, and its properties: {{'target': {{…}}}}.")
    if not all(isinstance(properties, dict) for properties in given.values()):
        raise ValidationError("An object with named fields is needed here.")


class ApplyIn(StrictSchema):
    """What is to be: YAML files, or items one by one, or both."""

    files = fields.List(
        fields.Nested(FileSchema),
        load_default=list,
        **about("YAML with lists of alarms, targets, groups, filters and matchers."),
    )
    items = fields.List(
        fields.Dict(keys=fields.String(), validate=_check_item),
        load_default=list,
        **about("Each is one of `alarm`, `target`, `group`, `filter` or `matcher`, with its "
                "properties."),
    )  # fmt: skip
    set = fields.String(
        load_default="default",
        validate=validate.Length(min=1, max=200),
        **about("The name of this set of files, for `prune`: each keeps to its own."),
    )
    prune = fields.Boolean(
        load_default=False,
        **about("Delete what an earlier apply of the same set brought and is no more there."),
    )
    dry_run = fields.Boolean(load_default=False, **about("Only say what would change."))


class ItemChangeOut(Schema):
    """A change that was made, or would be."""

    kind = fields.String(required=True, validate=validate.OneOf(list(LISTS.values())))
    name = fields.String(required=True)
    change = fields.String(required=True, validate=validate.OneOf(["create", "change", "delete"]))
    diff = fields.List(
        fields.String(), required=True, **about("A unified diff, line by line; secrets as ***.")
    )


class AppliedOut(Schema):
    """What was done, or would be."""

    changes = fields.List(fields.Nested(ItemChangeOut), required=True)
    unchanged = fields.Integer(required=True, **about("How many are as they are to be."))


class ExportedFile(Schema):
    """A file as `POST /v1/apply` takes it."""

    name = fields.String(required=True)
    text = fields.String(required=True)


class ExportOut(Schema):
    """Everything as files."""

    files = fields.List(fields.Nested(ExportedFile), required=True)


class _ExportQuery(Schema):
    class Meta:
        unknown = RAISE

    secrets = fields.Boolean(
        load_default=False,
        **about("Secrets as they are, in place of ***: for admins who are held to nothing."),
    )


COMPONENTS = {"ApplyIn": ApplyIn}
_SUFFIX = ".yaml"


def blueprint() -> Blueprint:
    """The operations on everything as files."""
    whole = Blueprint("as-code", __name__, description="Everything as files.")

    @whole.operation("POST", "/v1/apply", Permission.MODIFY, body="ApplyIn", gives=AppliedOut)
    def apply_files(body: Mapping[str, Any]) -> Document:
        """Make everything as files say, all of it or nothing

        A second time it changes nothing. Problems name file, line and column of what is wrong.
        """
        given = loaded(ApplyIn, body)
        files = [Content(each["name"], each["text"]) for each in given["files"]]
        items = [_item(number, each) for number, each in enumerate(given["items"])]
        return desk().as_code.apply(
            files, items, owner=given["set"], prune=given["prune"], dry_run=given["dry_run"]
        )

    @whole.operation("GET", "/v1/export", Permission.AUDIT, query=_ExportQuery, gives=ExportOut)
    def export_files(query: Mapping[str, Any]) -> Document:
        """Export alarms, targets and all else as YAML files

        What this gives can be sent to `/v1/apply`. Without secrets these are ***, which stands
        for what there is.
        """
        found = desk().as_code.export(with_secrets=query["secrets"])
        return {
            "files": [{"name": f"{name}{_SUFFIX}", "text": text} for name, text in found.items()]
        }

    return whole


def _item(number: int, given: Mapping[str, Any]) -> Item:
    ((kind, properties),) = given.items()
    return Item(kind, properties, partial(_problem, f"items.{number}.{kind}"))


def _problem(at: str, path: Sequence[str | int], message: str) -> Problem:
    return Problem("", None, None, ".".join([at, *map(str, path)]), message)
