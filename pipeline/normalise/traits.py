"""Trait: how one trait is made; and the conversions between what is found and what it may be.

The conversions raise `ValueError` (or one of `MISFITS`) for a value that does not convert: the
trait is then left out and counted (events-in 24). They give Ceilometer's results (events-in 17).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from pipeline.envelope import moment
from pipeline.event import TraitType, TraitValue
from pipeline.normalise.fields import Field, PlainField
from pipeline.normalise.plugins import TraitPlugin

_INTEGER_LIMIT_BITS = 1024


@dataclass(frozen=True, slots=True)
class Trait:
    """One trait of a definition: the first non-null match of its fields, or a constant.

    With a plugin, what it makes of all matches. Without fields the constant is the value.
    """

    name: str
    type: TraitType
    fields: tuple[Field, ...] = ()
    plugin: TraitPlugin | None = None
    constant: TraitValue | None = None


def _plain(name: str, *paths: tuple[str, ...]) -> Trait:
    return Trait(name, TraitType.TEXT, tuple(PlainField(path) for path in paths))


_PROJECT = (("payload", "tenant_id"), ("ctxt", "project_id"))

DEFAULT_TRAITS: Mapping[str, Trait] = {
    trait.name: trait
    for trait in (
        _plain("service", ("publisher_id",)),
        _plain("request_id", ("ctxt", "request_id")),
        _plain("project_id", *_PROJECT),
        _plain("user_id", ("payload", "user_id"), ("ctxt", "user_id")),
        _plain("tenant_id", *_PROJECT),
        _plain("priority", ("priority",)),
    )
}
"""What every event has unless its definition says otherwise (events-in 18, 22)."""


def text(value: Any) -> str:
    """Any value as text; objects and lists as Python writes them, as Ceilometer does."""
    return str(value)


def integer(value: Any) -> int:
    """An integer: numbers lose their fraction, digits in text are read."""
    number = int(value)
    if number.bit_length() > _INTEGER_LIMIT_BITS:
        raise ValueError("beyond any use, and beyond what Python writes as digits")
    return number


def real(value: Any) -> float:
    """A finite number; NaN and Infinity compare with nothing and are not JSON."""
    number = float(value)
    if not isfinite(number):
        raise ValueError("not a finite number")
    return number


CONVERSIONS: Mapping[TraitType, Callable[[Any], TraitValue]] = {
    TraitType.TEXT: text,
    TraitType.INT: integer,
    TraitType.FLOAT: real,
    TraitType.DATETIME: moment,
}
