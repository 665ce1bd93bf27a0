"""What a question is about: an event or a delivery by its id, or an event that is sent along.

The part of a body's schema that says it, for all operations that try something out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from pipeline.api.v1.schemas import about
from pipeline.errors import InvalidValue
from pipeline.past import Content, Reference
from pipeline.strict_schema import StrictSchema

_WAYS = ("event", "message", "file")
_MESSAGE = "message"


class FileSchema(StrictSchema):
    """A file's text, and its name for messages."""

    name = fields.String(load_default="file", validate=validate.Length(min=1, max=1_000))
    text = fields.String(required=True)


class AboutSchema(StrictSchema):
    """What it is about: one of the three."""

    event = fields.String(
        validate=validate.Length(min=1),
        **about("The message id of an event in the archive (its beginning will do), or the id of "
                "a delivery."),
    )  # fmt: skip
    message = fields.Dict(
        keys=fields.String(),
        **about("An event, as `tocsin normalise` prints it, or a message as it came off the bus."),
    )
    file = fields.Nested(
        FileSchema, **about("A file with captured messages or events; the first counts.")
    )


def reference_in(loaded: Mapping[str, Any]) -> Reference | None:
    """What was said there, None for nothing. Raises `InvalidValue` for more than one."""
    given = [name for name in _WAYS if name in loaded]
    if len(given) > 1:
        raise InvalidValue(f"give one of {', '.join(_WAYS)}, not {len(given)}.", given[1])
    match given:
        case ["event"]:
            return str(loaded["event"])
        case ["message"]:
            return Content(_MESSAGE, json.dumps(loaded["message"]))
        case ["file"]:
            return Content(loaded["file"]["name"], loaded["file"]["text"])
    return None


def needed_reference(loaded: Mapping[str, Any]) -> Reference:
    """What was said there. Raises `InvalidValue` for nothing."""
    found = reference_in(loaded)
    if found is None:
        raise InvalidValue(f"say what it is about: one of {', '.join(_WAYS)} is needed.", _WAYS[0])
    return found
