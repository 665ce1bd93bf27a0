"""The grammar of event_definitions.yaml, as marshmallow schemas.

What is wrong comes out as marshmallow's nested messages, all at once; each says how to mend it.
Called by `definitions` only, which turns them into problems with file, line and column.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates_schema

from pipeline import registry
from pipeline.errors import InvalidValue
from pipeline.event import TraitType
from pipeline.normalise.fields import MISFITS, Field, parse
from pipeline.normalise.plugins import TraitPlugin
from pipeline.normalise.traits import CONVERSIONS, Trait

PLUGINS = "tocsin.trait_plugins"

_TYPES = {trait_type.name.lower(): trait_type for trait_type in TraitType}
_MISTAKEN_TYPES = {
    "string": "text", "str": "text", "bool": "text", "boolean": "text", "integer": "int",
    "number": "float", "double": "float", "decimal": "float", "date": "datetime",
    "time": "datetime", "timestamp": "datetime",
}  # fmt: skip


class ParsedDefinition(NamedTuple):
    """One definition as the file has it: its globs, and its traits by name."""

    globs: list[str]
    traits: dict[str, Trait]


# --- the parts -------------------------------------------------------------------------------


class _Globs(fields.Field[list[str]]):
    """A glob, or a list of globs."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[str]:
        globs = value if isinstance(value, list) else [value]
        wrong = {i: _not_a("glob", glob) for i, glob in enumerate(globs) if not _is_text(glob)}
        if wrong:
            raise ValidationError(wrong if isinstance(value, list) else wrong[0])
        return globs


class _Paths(fields.Field[Any]):
    """A field path, a list of them, or an integer: a tuple of fields, or the constant."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[Field, ...] | int:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, int):
            return value
        if not isinstance(value, list):
            return (_path(value),)
        if not value:
            raise ValidationError("has no field path. Name at least one field.")
        return tuple(_each(enumerate(value), _path).values())


class _Type(fields.Field[TraitType]):
    """The name of a trait type."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> TraitType:
        name = str(value).lower()
        if name in _TYPES:
            return _TYPES[name]
        known = f"unknown type {value!r}. Use one of {', '.join(_TYPES)}."
        raise ValidationError(known + _meant_type(name))


class _Plugin(fields.Field[TraitPlugin]):
    """The name of a plugin, or `{name, parameters}`: the plugin, constructed."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> TraitPlugin:
        value = {"name": value} if isinstance(value, str) else value
        if not isinstance(value, Mapping):
            raise ValidationError(_not_a("plugin", value) + " Or write {name, parameters}.")
        _refuse_slips(value, ("name", "parameters"))
        name, parameters = value.get("name"), value.get("parameters")
        if not isinstance(name, str) or not name:
            raise ValidationError({"name": f"is missing. {_known_plugins()}"})
        parameters = {} if parameters is None else parameters
        if not isinstance(parameters, Mapping) or not all(map(_is_text, parameters)):
            raise ValidationError({"parameters": "is not a mapping of parameter names to values."})
        return _constructed(name, parameters)


class _Trait(fields.Field[Trait]):
    """A trait, still without a name: a path, an integer, a list of paths, or
    `{fields, type, plugin}`.
    """

    default_error_messages = {  # noqa: RUF012 -- marshmallow's own way
        "null": "is empty. Name the field, or list of fields, that holds the value."
    }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Trait:
        form = value if isinstance(value, Mapping) else {"fields": value}
        try:
            trait: Trait = _TraitSchema().load(form)
            return trait
        except ValidationError as error:
            if form is value:
                raise
            # A bare value has no key `fields` that a problem could stand at.
            raise ValidationError(_at(error, "fields")) from error


class _Traits(fields.Field[dict[str, Trait]]):
    """Traits by name."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Trait]:
        if not isinstance(value, Mapping):
            raise ValidationError(
                "is not a mapping of trait names to fields. Write `name: {fields: path}` for each,"
                " or {} for the default traits alone."
            )
        traits = _each(value.items(), _Trait().deserialize)
        return {str(name): replace(trait, name=str(name)) for name, trait in traits.items()}


# --- the wholes ------------------------------------------------------------------------------


class _TraitSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    fields_ = _Paths(
        required=True,
        data_key="fields",
        error_messages={
            "required": "is missing. Name the field, or list of fields, that holds the value.",
            "null": "is empty. Name the field, or list of fields, that holds the value.",
        },
    )
    type = _Type(load_default=TraitType.TEXT)
    plugin = _Plugin(load_default=None)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _known_keys(self, _data: Any, original: Mapping[str, Any], **_: Any) -> None:
        _refuse_slips(original, ("fields", "type", "plugin"))

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> Trait:
        found = data["fields_"]
        if isinstance(found, tuple):
            return Trait("", data["type"], found, data["plugin"])
        try:
            constant = CONVERSIONS[data["type"]](found)
        except MISFITS as error:
            name = data["type"].name.lower()
            raise ValidationError({"fields": f"the constant {found!r} is no {name}."}) from error
        return Trait("", data["type"], constant=constant)


class DefinitionSchema(Schema):
    """One definition of the list: `{event_type, traits}`; `load` gives a ParsedDefinition."""

    class Meta:
        unknown = EXCLUDE

    error_messages = {  # noqa: RUF012 -- marshmallow's own way
        "type": "is not a definition. Write `event_type: …` with `traits:` below it."
    }
    event_type = _Globs(
        required=True,
        error_messages={
            "required": "is missing. Say which events are meant: a glob or a list of globs.",
            "null": "is empty. Say which events are meant: a glob or a list of globs.",
        },
    )
    traits = _Traits(
        required=True,
        error_messages={
            "required": "is missing. Write {{}} for the default traits alone.",
            "null": "is empty. Write {{}} for the default traits alone.",
        },
    )

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _known_keys(self, _data: Any, original: Any, **_: Any) -> None:
        if isinstance(original, Mapping):
            _refuse_slips(original, ("event_type", "traits"))

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> ParsedDefinition:
        return ParsedDefinition(data["event_type"], data["traits"])


# --- what the parts are made with ------------------------------------------------------------


def _each(items: Iterable[tuple[Any, Any]], make: Any) -> dict[Any, Any]:
    """`make` of every item, with the messages of all that fail."""
    made: dict[Any, Any] = {}
    wrong: dict[Any, Any] = {}
    for key, item in items:
        try:
            made[key] = make(item)
        except ValidationError as error:
            wrong[key] = error.messages
    if wrong:
        raise ValidationError(wrong)
    return made


def _at(error: ValidationError, key: str) -> Any:
    return error.messages[key] if isinstance(error.messages, dict) else error.messages


def _path(value: Any) -> Field:
    if not _is_text(value):
        raise ValidationError(_not_a("field path", value))
    try:
        return parse(value)
    except InvalidValue as error:
        raise ValidationError(str(error)) from error


def _constructed(name: str, parameters: Mapping[str, Any]) -> TraitPlugin:
    try:
        plugin_class = registry.find(PLUGINS, name)
    except InvalidValue as error:
        raise ValidationError(str(error)) from error
    known = inspect.signature(plugin_class).parameters.values()
    names = [each.name for each in known if each.kind is not each.VAR_KEYWORD]
    try:
        _refuse_slips(parameters, names)
        plugin: TraitPlugin = plugin_class(**parameters)
    except InvalidValue as error:
        at = {error.field: str(error)} if error.field in parameters else str(error)
        raise ValidationError({"parameters": at}) from error
    except ValidationError as error:
        raise ValidationError({"parameters": error.messages}) from error
    except Exception as error:
        message = f"the plugin {name!r} does not take these: {error}"
        raise ValidationError({"parameters": message}) from error
    return plugin


def _refuse_slips(given: Mapping[Any, Any], known: Iterable[str]) -> None:
    """Complain of keys that look like slips of known ones; others are notes and harmless."""
    known = list(known)
    slips = {
        key: f"unknown key {key!r}.{meant}"
        for key in given
        if key not in known and (meant := registry.did_you_mean(str(key), known))
    }
    if slips:
        raise ValidationError(slips)


def _meant_type(name: str) -> str:
    meant = registry.did_you_mean(name, [*_TYPES, *_MISTAKEN_TYPES])
    for mistaken, right in _MISTAKEN_TYPES.items():
        meant = meant.replace(f"'{mistaken}'", f"'{right}'")
    return meant


def _known_plugins() -> str:
    return f"Use one of {', '.join(registry.names(PLUGINS))}."


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _not_a(what: str, value: Any) -> str:
    return f"{value!r} is not a {what}. Write a text, in quotes if need be."
