"""Aodh's simple queries (alarms 19).

    q.field=state&q.op=eq&q.value=ok&q.field=enabled&q.op=eq&q.value=true&…

What the first q.field has is the first q.value, and so on; all must hold. Called by the operations
that list alarms and history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request

from pipeline.alarms import criteria
from pipeline.alarms.criteria import Comparison, Fields
from pipeline.api.v2.arguments import wrong
from pipeline.errors import InvalidValue

_SIGNS = {"lt": "<", "le": "<=", "eq": "=", "ne": "!=", "ge": ">=", "gt": ">"}
_CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "float": float,
    "string": str,
    "boolean": criteria.switch,
    "datetime": criteria.moment,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One condition, as it was written; `op` is eq where nothing is said."""

    field: str
    op: str
    value: str
    type: str

    def is_true(self) -> bool:
        """What it says, as true or false. Raises `InvalidValue`."""
        try:
            return criteria.switch(self.value)
        except ValueError as error:
            raise self._unconvertible("boolean") from error

    def is_moment(self) -> bool:
        """Whether its value is a time."""
        try:
            criteria.moment(self.value)
        except ValueError:
            return False
        return True

    def comparison(self, fields: Fields) -> Comparison:
        """The criterion that it is. Raises `InvalidValue` for a value that does not fit."""
        field = criteria.FIELD_ALIASES.get(self.field, self.field)
        self._check_type()
        kind = fields[field]
        try:
            sign = _SIGNS[self.op]
            return criteria.comparison(kind, field, sign, self.value, strict=False)
        except ValueError as error:
            name = {bool: "boolean", datetime: "datetime"}.get(kind, "string")
            raise self._unconvertible(name) from error

    def _check_type(self) -> None:
        if not self.type:
            return
        if self.type not in _CONVERTERS:
            message = (
                f"The data type {self.type} is not supported. The supported data type list is:"
            )
            raise InvalidValue(f"{message} {list(_CONVERTERS)}", "q.type")
        try:
            _CONVERTERS[self.type](self.value)
        except ValueError as error:
            raise self._unconvertible(self.type) from error

    def _unconvertible(self, name: str) -> InvalidValue:
        message = f"Unable to convert the value {self.value} to the expected data type {name}."
        return InvalidValue(message, "q.value")


def simple_query() -> list[Asked]:
    """The conditions of the request. Raises `InvalidValue`."""
    return list(_conditions())


def _conditions() -> Iterator[Asked]:
    fields = request.args.getlist("q.field")
    values = _beside(fields, "value")
    if len(values) != len(fields):
        wrong("value", None, "Mandatory field missing.")
    ops = _beside(fields, "op") or ["eq"] * len(fields)
    types = _beside(fields, "type") or [""] * len(fields)
    for field, op, value, type in zip(fields, ops, values, types, strict=True):
        yield Asked(field, op or "eq", value, type)


def _beside(fields: list[str], name: str) -> list[str]:
    """What is said beside each field; nothing, or as often as there are fields."""
    found = request.args.getlist(f"q.{name}")
    if found and not fields:
        wrong("field", None, "Mandatory field missing.")
    if found and len(found) != len(fields):
        wrong(name, found, "It should be given for each q.field, or for none.")
    return found
