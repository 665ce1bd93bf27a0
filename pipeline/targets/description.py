"""The options of a type of target, for people: what each holds, whether it is needed, a secret.

Of the type's schema alone. Asked by `tocsin target types` and by the API's description.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields
from marshmallow.validate import OneOf

from pipeline.targets import fields_of
from pipeline.targets.options import is_secret

_HELD: Mapping[type, str] = {
    fields.Boolean: "true or false",
    fields.Integer: "a whole number",
    fields.Float: "a number",
    fields.Mapping: "names and values",
    fields.List: "several",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One option, by the name that people write. `choices` are all its values, none for any."""

    name: str
    holds: str
    needed: bool
    secret: bool
    choices: tuple[str, ...]
    field: Any


def described(type: str) -> list[Option]:
    """A type's options, by name. Raises `InvalidValue` for an unknown type."""
    return [
        _option(name.replace("_", "-"), field) for name, field in sorted(fields_of(type).items())
    ]


def _option(name: str, field: Any) -> Option:
    choices = next(
        (tuple(map(str, each.choices)) for each in field.validators if isinstance(each, OneOf)), ()
    )
    holds = " or ".join(choices) or next(
        (word for kind, word in _HELD.items() if isinstance(field, kind)), "a text"
    )
    return Option(name, holds, bool(field.required), is_secret(field), choices, field)
