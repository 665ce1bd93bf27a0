"""The file in which people register kinds of their own, and set up those that Tocsin has.

    kinds:
      - id: backup-verify
        description: A backup was read back.
        severity: notice
        policy: always
        target: mail-admins
        fields:
          host: text
          size: {type: bytes, required: false, description: How much was read.}
        title: "{{ fields.host }}: backup verified"
        body: "{{ fields.size | human_bytes }} were read back."
      - id: package-updates
        policy: always

An entry with the id of a built-in kind says only how severe it is, who is told, and by which
words. Pure; called when settings are put to use, and by `tocsin check`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from marshmallow import ValidationError, validate
from marshmallow import fields as made_of

from pipeline.errors import ConfigError, InvalidValue, Problem
from pipeline.kinds.builtin import BUILTIN
from pipeline.kinds.kind import Field, Kind, Kinds, Policy
from pipeline.kinds.types import TYPES
from pipeline.options import option
from pipeline.registry import one_of
from pipeline.severity import checked
from pipeline.strict_schema import StrictSchema
from pipeline.yaml_source import Document

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,63}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_FIXED = ("fields", "extra_fields", "description")
"""What a built-in kind's entry may not say: others rely on it."""
_POLICIES = {policy.value: policy for policy in Policy}


@dataclass(frozen=True, slots=True)
class KindsSettings:
    """Section `kinds` of the settings."""

    file: str = option(
        "",
        "A YAML file with kinds of notifications of your own, and changes to those that Tocsin"
        " comes with. Empty: those that it comes with.",
        path=True,
    )


def kinds_in(document: Document | None) -> Kinds:
    """All kinds, by the file or without one. Raises `ConfigError` with all problems of it."""
    builtin = {kind.id: kind for kind in BUILTIN}
    if document is None or document.value is None:
        return Kinds(builtin.values())
    problems = [*document.problems(_File().validate(document.value)), *_more(document)]
    if problems:
        raise ConfigError(sorted(problems, key=lambda each: (each.line or 0, each.column or 0)))
    entries = _File().load(document.value)["kinds"]
    return Kinds((builtin | {each["id"]: _kind(each, builtin) for each in entries}).values())


def _kind(entry: Mapping[str, Any], builtin: Mapping[str, Kind]) -> Kind:
    if entry["id"] in builtin:
        return replace(builtin[entry["id"]], **entry)
    return Kind(**entry)


def _more(document: Document) -> Iterator[Problem]:
    """What a schema does not see: ids given twice, and fields of kinds that are not theirs."""
    listed = document.value.get("kinds") if isinstance(document.value, dict) else None
    builtin = {kind.id for kind in BUILTIN}
    first: dict[str, int] = {}
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        id = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(id, str):
            continue
        line, _ = document.place(("kinds", index, "id"))
        if id in first:
            message = f"the kind {id!r} stands at line {first[id]} already. Make one of the two."
            yield document.problem(("kinds", index, "id"), message)
        first.setdefault(id, line)
        for key in _FIXED if id in builtin else ():
            if key in entry:
                message = f"is fixed for {id}, which Tocsin comes with. Take it out."
                yield document.problem(("kinds", index, key), message, key=True)


# --- the shape of the file -------------------------------------------------------------------


def _type(value: str) -> None:
    if value not in TYPES:
        raise ValidationError(f"unknown type {value!r}. {one_of(value, TYPES)}")


class _Field(StrictSchema):
    type = made_of.String(load_default="text", validate=_type)
    required = made_of.Boolean(load_default=True)
    description = made_of.String(load_default="")


class _Fields(made_of.Field[Mapping[str, Field]]):
    """Fields by name: each its type, or `{type, required, description}`."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Field]:
        if not isinstance(value, Mapping):
            raise ValidationError("expects the fields by name, each with its type.")
        found, problems = {}, {}
        for name, described in value.items():
            try:
                found[name] = _described(name, described)
            except ValidationError as error:
                problems[name] = error.messages
        if problems:
            raise ValidationError(problems)
        return found


def _described(name: Any, value: Any) -> Field:
    if not isinstance(name, str) or not _FIELD.fullmatch(name):
        raise ValidationError(f"{name!r} is not a name. Use letters, digits and _.")
    if isinstance(value, str):
        _type(value)
        return Field(value)
    return Field(**_Field().load(value))


class _Severity(made_of.String):
    def _deserialize(self, value: Any, *args: Any, **more: Any) -> str:
        try:
            return checked(super()._deserialize(value, *args, **more))
        except InvalidValue as error:
            raise ValidationError(str(error)) from error


class _Policy(made_of.String):
    def _deserialize(self, value: Any, *args: Any, **more: Any) -> Any:
        word = super()._deserialize(value, *args, **more)
        if word in _POLICIES:
            return _POLICIES[word]
        raise ValidationError(f"unknown policy {word!r}. {one_of(word, _POLICIES)}")


class _Entry(StrictSchema):
    id = made_of.String(
        required=True,
        validate=validate.Regexp(
            _NAME.pattern + "$",
            error="is not an id. Use 2 to 64 of a-z, 0-9, - and _, a letter or digit first.",
        ),
        error_messages={"required": "is missing. Give the kind an id."},
    )
    description = made_of.String()
    severity = _Severity()
    policy = _Policy()
    target = made_of.String()
    template = made_of.String(
        validate=validate.Regexp(
            _NAME.pattern + "$",
            error="is not the base name of a template. Use a-z, 0-9, - and _.",
        )
    )
    title = made_of.String()
    body = made_of.String()
    extra_fields = made_of.Boolean()
    fields = _Fields()  # type: ignore[assignment]  # its name in the file; marshmallow takes it


class _File(StrictSchema):
    kinds = made_of.List(
        made_of.Nested(_Entry),
        required=True,
        error_messages={"required": "is missing. List the kinds below `kinds:`."},
    )


ENTRY_KEYS: Sequence[str] = tuple(_Entry._declared_fields)
"""What an entry may say."""
