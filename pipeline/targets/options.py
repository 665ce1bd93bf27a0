"""The fields of which targets' options are made, for their schemas (marshmallow).

class GotifySchema(TargetSchema):
    server = url(required=True)
    token = secret(required=True)
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields

from pipeline.strict_schema import StrictSchema


class TargetSchema(StrictSchema):
    """The options of a type of target."""


def text(**settings: Any) -> fields.String:
    """A text that anybody may see."""
    return fields.String(**_mandatory(settings))


def secret(**settings: Any) -> fields.String:
    """A text that is kept encrypted and never shown."""
    return fields.String(metadata={"secret": True}, **_mandatory(settings))


def url(**settings: Any) -> fields.String:
    """An http or https URL that names a host."""
    return fields.String(validate=_check_url, **_mandatory(settings))


def is_secret(field: Any) -> bool:
    """Whether what a schema's field holds is a secret."""
    return bool(field.metadata.get("secret"))


def _mandatory(settings: dict[str, Any]) -> dict[str, Any]:
    return {"error_messages": {"required": "Mandatory field missing."}, **settings}


def _check_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValidationError("Not an http or https URL that names a host.")
