"""Which ones are meant: documents that choose what is replayed or purged, taken in and checked.

One of them names ids, or says all, or bounds what is meant; `pipeline.desk.kept` says which bounds
a matter has.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import Equal, Length

from pipeline.alarms.schema import flat
from pipeline.desk.base import MOST_AT_ONCE
from pipeline.errors import InvalidValue
from pipeline.masking import MASK
from pipeline.strict_schema import StrictSchema

_WAYS = ("ids", "all")


class Ids(StrictSchema):
    """Things, by their ids."""

    ids = fields.List(
        fields.String(validate=Length(min=1)),
        validate=Length(min=1, max=MOST_AT_ONCE),
        metadata={"description": "These; at most 1000."},
    )


class Choice(Ids):
    """Things, by their ids, or all."""

    all = fields.Boolean(validate=Equal(True), metadata={"description": "All, if it is true."})


def _moment(description: str) -> fields.AwareDateTime:
    return fields.AwareDateTime(
        format="iso", default_timezone=UTC, metadata={"description": description}
    )


class DeadLettersToPurge(Choice):
    """Which dead letters: `ids`, or `action` and `until`, or `all`."""

    action = fields.String(
        validate=Length(min=1), metadata={"description": "All to this URL, as the alarm has it."}
    )
    until = _moment("All that died until then.")


class DeadLettersToReplay(DeadLettersToPurge):
    """Which dead letters: `ids`, or `action`, `since` and `until`, or `all`."""

    since = _moment("All that died since then.")


class PublicationsChoice(Choice):
    """Which publications: `ids`, or those of a `publisher`, or `all`."""

    publisher = fields.String(
        validate=Length(min=1),
        metadata={"description": "All of this publisher, as the list or the file shows it."},
    )


def check_whole(action: str | None) -> None:
    """Raise `InvalidValue` for an action that lacks its secrets, as one that was copied from a
    list: it would find nothing."""
    if action and MASK in action:
        raise InvalidValue(
            f"{action} is without its secrets, which nothing is found by. Give the action as the "
            "alarm has it; or choose by ids, times or, in a list, by receiver.",
            "action",
        )


def chosen(which: Mapping[str, Any], schema: type[Ids]) -> dict[str, Any]:
    """What the document says, checked. Raises `InvalidValue` with all that is wrong."""
    known = schema()
    try:
        found: dict[str, Any] = known.load(which)
    except ValidationError as error:
        messages = error.messages_dict
        told = "; ".join(f"{name}: {text}" if name else text for name, text in flat(messages))
        raise InvalidValue(told, None, messages) from error
    bounds = [name for name in known.fields if name not in _WAYS]
    ways = ("ids" in found) + ("all" in found) + any(name in found for name in bounds)
    if ways != 1:
        others = f", or {', '.join(sorted(bounds))}" if bounds else ""
        every = ", or all" if "all" in known.fields else ""
        more = " They exclude each other." if ways else ""
        raise InvalidValue(f"Say which: ids{others}{every}.{more}", "ids")
    check_whole(found.get("action"))
    return found
