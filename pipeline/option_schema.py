"""From a part's options to the marshmallow schema that checks what people gave for them.

`pipeline.settings` asks for the options and the schema of each section. What an option accepts
follows from its type hint, and its bounds from what `pipeline.options.option` was told. Knows no
file and no environment, only how an environment variable's text spells a value.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

import yaml
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field as SchemaField

from pipeline.errors import InvalidValue
from pipeline.masking import mask_url
from pipeline.registry import one_of

Check: TypeAlias = Callable[[Any], object]
"""Raises `InvalidValue` for a value that does not fit."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of option: its name for people, which plain values fit, how a text spells one.

    `spelled` gives the text itself where it spells nothing of the kind; the check then says so.
    A list has the kind of its `item`.
    """

    name: str
    fits: Callable[[Any], bool]
    spelled: Callable[[str], Any]
    item: Kind | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a section, as `pipeline.options.option` declared it."""

    name: str
    kind: Kind
    optional: bool
    default: Any
    help: str
    secret: bool
    path: bool
    choices: tuple[str, ...]
    minimum: float | None


def options_of(section: type) -> dict[str, Option]:
    """A section's options by name, in the order in which they are declared."""
    hints = get_type_hints(section)
    return {field.name: _option(field, hints[field.name]) for field in fields(section)}


def schema_of(options: Mapping[str, Option], checks: Mapping[str, Check]) -> Schema:
    """The schema for a mapping with values of these options; any may be absent.

    It loads lists as tuples, and whole numbers as float where a number is asked for. An option's
    check is made on each value that is not empty, on each item of a list.
    """
    return Schema.from_dict({name: _Checked(o, checks.get(name)) for name, o in options.items()})()


class _Checked(SchemaField[Any]):
    """Checks a plain value against an option."""

    def __init__(self, option: Option, check: Check | None) -> None:
        nothing = f"expects {option.kind.name}, not nothing. Take the line out for the default."
        super().__init__(allow_none=option.optional, error_messages={"null": nothing})
        self._option, self._check = option, check

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        kind = self._option.kind
        if kind.item is None:
            return self._one(kind, value)
        self._check_fits(kind, value)
        items, problems = [], {}
        for index, item in enumerate(value):
            try:
                items.append(self._one(kind.item, item))
            except ValidationError as error:
                problems[index] = error.messages
        if problems:
            raise ValidationError(problems)
        return tuple(items)

    def _one(self, kind: Kind, value: Any) -> Any:
        self._check_fits(kind, value)
        choices, minimum = self._option.choices, self._option.minimum
        if choices and value not in choices:
            raise ValidationError(f"unknown value {value!r}. {one_of(value, choices)}")
        if minimum is not None and value < minimum:
            raise ValidationError(f"must be at least {minimum}, not {value}.")
        if self._check and value:
            _make(self._check, value)
        return float(value) if kind is _NUMBER else value

    def _check_fits(self, kind: Kind, value: Any) -> None:
        if kind.fits(value):
            return
        found = "what is given" if self._option.secret else _said(value)
        scalar = isinstance(value, (bool, int, float))
        hint = " Put it in quotes." if kind is _TEXT and scalar else ""
        raise ValidationError(f"expects {kind.name}, not {found}.{hint}")


def _make(check: Check, value: Any) -> None:
    try:
        check(value)
    except InvalidValue as error:
        raise ValidationError(str(error)) from error


def _said(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case _:
            return mask_url(repr(value))


# --- the kinds -------------------------------------------------------------------------------


def _spelled_by(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def spelled(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, yaml.YAMLError):
            return text

    return spelled


def _switch(text: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _list_of(item: Kind, name: str) -> Kind:
    def spelled(text: str) -> Any:
        if text.startswith("["):
            return _spelled_by(yaml.safe_load)(text)
        return [item.spelled(part.strip()) for part in text.split(",") if part.strip()]

    return Kind(name, lambda value: isinstance(value, list), spelled, item)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool and math.isfinite(value)


_TEXT = Kind("text", lambda value: isinstance(value, str), str)
_WHOLE = Kind("a whole number", lambda value: type(value) is int, _spelled_by(int))
_NUMBER = Kind("a number", _is_number, _spelled_by(float))
_SWITCH = Kind("true or false", lambda value: type(value) is bool, _spelled_by(_switch))
_TEXTS = _list_of(_TEXT, "a list of texts")
_NUMBERS = _list_of(_NUMBER, "a list of numbers")
_MAPPING = Kind("a mapping", lambda value: isinstance(value, dict), _spelled_by(yaml.safe_load))

_KINDS: Mapping[Any, Kind] = {
    str: _TEXT,
    int: _WHOLE,
    float: _NUMBER,
    bool: _SWITCH,
    tuple[str, ...]: _TEXTS,
    tuple[float, ...]: _NUMBERS,
    Mapping[str, Any]: _MAPPING,
}


def _option(field: Field[Any], hint: Any) -> Option:
    hints = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    (kind,) = (_KINDS[part] for part in hints if part is not type(None))
    default = field.default if field.default_factory is MISSING else field.default_factory()
    metadata = field.metadata
    return Option(
        name=field.name,
        kind=kind,
        optional=type(None) in hints,
        default=default,
        help=metadata["help"],
        secret=metadata["secret"],
        path=metadata["path"],
        choices=tuple(metadata["choices"] or ()),
        minimum=metadata["minimum"],
    )
