"""What a request of Aodh's API asks: its arguments, and the JSON that it sends.

Errors are `InvalidValue` in Aodh's words (400), or 415 for what is no JSON.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from flask import g, request
from werkzeug.exceptions import UnsupportedMediaType

from pipeline.access import Caller
from pipeline.desk import LocalDesk
from pipeline.errors import InvalidValue

QUERY = ("q.field", "q.op", "q.value", "q.type")
PAGING = ("sort", "limit", "marker")
MOST = 2**31 - 1
"""The largest limit; what is more is as good as none."""

_SORTING = (
    "the sort parameter should be a pair of sort key and sort dir combined with ':', or only sort "
    "key specified and sort dir will be default 'asc', the supported sort keys are:"
)


def desk() -> LocalDesk:
    """The desk of the request's caller."""
    found: LocalDesk = g.desk
    return found


def caller() -> Caller:
    """Who asks."""
    return desk().caller


def allow(*names: str) -> None:
    """Raise `InvalidValue` for an argument that is none of these."""
    for name in request.args:
        if name not in names:
            raise InvalidValue(f'Unknown argument: "{name}"', name)


def argument(name: str) -> str | None:
    """An argument that is given once, if at all."""
    values = request.args.getlist(name)
    if len(values) > 1:
        wrong(name, values, "It should be given once.")
    return values[0] if values else None


def limit() -> int | None:
    """How many are asked for; None for all, as 0 is."""
    given = argument("limit")
    if given is None:
        return None
    try:
        number = int(given)
    except ValueError as error:
        wrong("limit", given, f"unable to convert to int. Error: {error}")
    if number < 0:
        wrong("limit", given, "it should be a positive integer.")
    return min(number, MOST) or None


def sort(keys: Collection[str]) -> list[tuple[str, str]]:
    """The keys to sort by, each with its direction."""
    steps = []
    for given in request.args.getlist("sort"):
        key, _, direction = given.partition(":")
        if key not in keys:
            wrong("sort", given, f"{_SORTING} {tuple(keys)}")
        if direction not in ("", "asc", "desc"):
            wrong("sort", given, "the sort dir is asc or desc.")
        steps.append((key, direction or "asc"))
    return steps


def sent(name: str) -> Any:
    """The JSON that was sent; `name` is what Aodh calls it."""
    body = request.get_data()
    if not body:
        raise InvalidValue(f'Missing argument: "{name}"', name)
    if request.mimetype and not request.is_json:
        raise UnsupportedMediaType(f"Unknown mimetype: {request.mimetype}")
    try:
        found = json.loads(body, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        raise InvalidValue("Request is not in valid JSON format", name) from error
    g.sent, g.sent_name = found, name
    return found


def sent_object(name: str) -> Mapping[str, Any]:
    """The JSON object that was sent."""
    found = sent(name)
    if not isinstance(found, dict):
        wrong(name, found, "An object with named fields is needed here.")
    return found


def wrong(field: str, value: Any, why: str) -> NoReturn:
    """Raise `InvalidValue` in Aodh's words."""
    raise InvalidValue(f"Invalid input for field/attribute {field}. {shown(value)} {why}", field)


def shown(value: Any) -> str:
    """A value as Aodh tells of it, or the start of it."""
    try:
        text = str(value)
    except (RecursionError, ValueError):  # nested very deep; a number of thousands of digits
        text = "…"
    return f"Value: '{text if len(text) <= 200 else f'{text[:200]}…'}'."


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
