"""Documents of quotas, as both APIs take them.

    {"project_id": "p-1", "quotas": [{"resource": "alarms", "limit": 10}]}

What a quota may be is decided at the desk; here it is only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

from pipeline.alarms.schema import flat
from pipeline.errors import InvalidValue
from pipeline.store.quotas import RESOURCES, UNLIMITED


class QuotaDocument(Schema):
    """How many of something a project may have."""

    class Meta:
        unknown = RAISE

    resource = fields.String(required=True, metadata={"enum": list(RESOURCES)})
    limit = fields.Integer(
        required=True,
        strict=True,
        metadata={"minimum": UNLIMITED, "description": "-1: any number."},
    )


class QuotasDocument(Schema):
    """A project's quotas (alarms 23)."""

    class Meta:
        unknown = RAISE

    project_id = fields.String(required=True)
    quotas = fields.List(fields.Nested(QuotaDocument), load_default=list)


def loaded_quotas(body: Mapping[str, Any]) -> tuple[str, dict[str, int]]:
    """The project of the document, and its quotas by resource. Raises `InvalidValue`."""
    try:
        loaded = QuotasDocument().load(body)
    except ValidationError as error:
        lines = [f"{path}: {text}" for path, text in flat(error.messages_dict)]
        raise InvalidValue("\n".join(lines), messages=error.messages_dict) from error
    return loaded["project_id"], {each["resource"]: each["limit"] for each in loaded["quotas"]}
