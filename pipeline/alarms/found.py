"""What an event has where a condition looks, and why that does not meet the condition (alarms 10).

`conditions` takes only values of the kind that it compares; people want to know what is there in
its place: nothing, null, or a value of another kind.

Pure. Called by `pipeline.alarms.explaining`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pipeline.alarms.alarm import Condition
from pipeline.alarms.conditions import BOOLEAN, MOMENT, NUMBER, TEXT, TYPES, Kind, trait_name
from pipeline.event import Event
from pipeline.registry import did_you_mean
from pipeline.times import plain

_FIELDS = ("event_type", "message_id", "generated")
_LONGEST_TEXT = 200
_NO_CONDITION = "Without it no condition holds, != included."
_COMPARED: Mapping[Kind, str] = {
    TEXT: "texts",
    NUMBER: "numbers",
    BOOLEAN: "booleans: true, false, and what says so (1, 0, yes, no, …)",
    MOMENT: "times",
}
_DIFFERENT: Mapping[str, str] = {
    "eq": "is not equal to",
    "ne": "is equal to",
    "lt": "is not less than",
    "le": "is greater than",
    "gt": "is not greater than",
    "ge": "is less than",
}


class Is(StrEnum):
    """What a value is."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    OBJECT = "object"
    LIST = "list"
    NULL = "null"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Found:
    """A value as JSON can say it, and what it is. Of an object or a list, None is told."""

    value: str | int | float | bool | None
    kind: Is

    @classmethod
    def of(cls, value: Any) -> Found:
        """Of a value that is there."""
        match value:
            case None:
                return cls(None, Is.NULL)
            case bool():
                return cls(value, Is.BOOLEAN)
            case int():
                return cls(value, Is.INTEGER)
            case float():
                # JSON has no infinity.
                return cls(value if math.isfinite(value) else str(value), Is.FLOAT)
            case str():
                return cls(value, Is.TEXT)
            case datetime():
                return cls(plain(value), Is.DATETIME)
            case Mapping():
                return cls(None, Is.OBJECT)
        return cls(None, Is.LIST)

    @property
    def shown(self) -> str:
        """The value for people, cut where it is long."""
        if self.kind is Is.MISSING or self.kind is Is.NULL:
            return str(self.kind)
        if self.kind is Is.OBJECT or self.kind is Is.LIST:
            return f"({self.kind})"
        text = str(self.value).lower() if self.kind is Is.BOOLEAN else str(self.value)
        return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


MISSING = Found(None, Is.MISSING)


def found(field: str, event: Event) -> Found:
    """What the event has in a condition's field."""
    trait = trait_name(field)
    if trait is not None:
        return Found.of(event.values[trait]) if trait in event.values else MISSING
    head, *path = field.split(".")
    if head == "raw" and path:
        return _inside(event.raw, path)
    return Found.of(getattr(event, field)) if field in _FIELDS else MISSING


def _inside(value: Any, path: list[str]) -> Found:
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return Found.of(value)


def why_not(condition: Condition, there: Found, event: Event) -> str:
    """Why what is there does not meet a condition that can be read, and what may mend it."""
    if there.kind is Is.MISSING:
        return _missing(condition.field, event)
    if there.kind is Is.NULL:
        return f"It is null. {_NO_CONDITION}"
    kind = TYPES[condition.type].kind
    if not _is_compared(condition.field, kind, there):
        return _other_kind(condition, kind, there)
    said = f"{there.shown} {_DIFFERENT[condition.op]} {condition.value}"
    return f"{said}.{_nearly(condition, there)}"


def _missing(field: str, event: Event) -> str:
    trait = trait_name(field)
    if trait is not None:
        hint = did_you_mean(trait, event.values)
        return f"The event has no trait {trait!r}. {_NO_CONDITION}{hint}"
    if field.startswith("raw."):
        if not event.raw:
            return (
                "The event was kept without its notification (normalise.store_raw)."
                f" {_NO_CONDITION}"
            )
        return f"The notification has nothing there. {_NO_CONDITION}"
    known = [*_FIELDS, *(f"traits.{name}" for name in event.values)]
    hint = f" Did you mean 'traits.{field}'?" if field in event.values else ""
    hint = hint or did_you_mean(field, known)
    return f"Fields are traits.NAME, raw.PATH, {', '.join(_FIELDS)}; no event has another.{hint}"


def _is_compared(field: str, kind: Kind, there: Found) -> bool:
    """Whether the value is of the kind that is compared, as `conditions.reader` takes it."""
    match there.kind:
        case Is.DATETIME:
            return kind is MOMENT or (field == "generated" and kind is TEXT)
        case Is.TEXT if kind is MOMENT:
            return False
        case Is.FLOAT | Is.INTEGER if kind is NUMBER:
            return True
    return kind.take(there.value) is not None


def _other_kind(condition: Condition, kind: Kind, there: Found) -> str:
    what = f"a {there.kind}" if there.kind not in (Is.INTEGER, Is.OBJECT) else f"an {there.kind}"
    type = condition.type or "string"
    said = f"It is {what}, and a condition of type {type} compares {_COMPARED[kind]}."
    return f"{said} With another value no condition holds, != included.{_mend(condition, there)}"


def _mend(condition: Condition, there: Found) -> str:
    fitting = {
        Is.TEXT: "string",
        Is.INTEGER: "integer",
        Is.FLOAT: "float",
        Is.BOOLEAN: "boolean",
        Is.DATETIME: "datetime",
    }.get(there.kind)
    if fitting is None or fitting == (condition.type or "string"):
        return ""
    return f" Give the condition the type {fitting}."


def _nearly(condition: Condition, there: Found) -> str:
    """What a text that is not equal differs in, where that is hard to see."""
    if condition.op != "eq" or there.kind is not Is.TEXT or condition.type not in ("", "string"):
        return ""
    value, wanted = str(there.value), str(condition.value)
    if value.strip() == wanted.strip():
        return " They differ in the blanks around them."
    if value.lower() == wanted.lower():
        return " They differ in upper and lower case, which counts."
    return ""
