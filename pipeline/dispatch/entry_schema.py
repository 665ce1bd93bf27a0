"""The marshmallow schemas of what people set up by name (notifications 6 to 12).

Documents have the names of Proxmox's properties: `min-severity`, `match-field`, `invert-match`. Of
a target, what is not said of every target is an option of its type, which `pipeline.targets`
checks and parts from its secrets; it is handed in, as it is above this in the layers. Used by
`pipeline.dispatch.edits` alone, which turns what is found into Tocsin's errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from marshmallow import ValidationError, fields, post_load, validates_schema
from marshmallow.validate import Length

from pipeline import severity
from pipeline.dispatch.entries import FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.dispatch.guards import GuardsSchema
from pipeline.dispatch.rules import rules_of
from pipeline.errors import InvalidValue
from pipeline.registry import one_of
from pipeline.strict_schema import StrictSchema

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{1,31}")
_MODES = ("all", "any")
_MISSING: dict[str, Any] = {"required": "Mandatory field missing."}


class OptionsCheck(Protocol):
    """What is needed of the types of targets (`pipeline.targets.checked_options`)."""

    def __call__(
        self, type: str, options: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The options that anybody may see, and the secrets among them.

        A secret that is `***` or nothing stays as it is kept. Raises `InvalidValue` for an
        unknown type or unfit options, with all problems.
        """


class _Texts(fields.List[Any]):
    """A list of texts; one text is as good as a list of it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(fields.String(validate=Length(min=1)), **settings)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        given = [value] if isinstance(value, str) else value
        found: list[Any] = super()._deserialize(given, attr, data, **kwargs)
        return list(dict.fromkeys(found))


def check_name(value: str) -> None:
    """Raise `ValidationError` for what cannot be a name (notifications 12)."""
    if not _NAME.fullmatch(value):
        raise ValidationError(
            f"{value!r} is no name. Use 2 to 32 letters, digits and . _ - and begin with none of"
            " the signs but _."
        )


def _check_mode(value: str) -> None:
    if value not in _MODES:
        raise ValidationError(f"unknown mode {value!r}. {one_of(value, _MODES)}")


def _check_guards(document: Mapping[str, Any]) -> None:
    if problems := GuardsSchema().validate(document):
        said = [f"{name}: {text}" for name, texts in problems.items() for text in texts]
        raise ValidationError(said)


class _EntrySchema(StrictSchema):
    """What all entries have."""

    ignored = frozenset({"origin", "digest", "kind"})

    name = fields.String(required=True, validate=check_name, error_messages=_MISSING)
    comment = fields.String(load_default="")
    disable = fields.Boolean(load_default=False)


class TargetSchema(_EntrySchema):
    """A target; what it does not know is left to its type."""

    type = fields.String(required=True, error_messages=_MISSING)
    filter = fields.String(load_default="")
    fallback = fields.String(load_default="")
    guards = fields.Dict(keys=fields.String(), load_default=dict, validate=_check_guards)

    def __init__(self, check: OptionsCheck) -> None:
        self._check = check
        super().__init__()

    def load_all(self, document: Mapping[str, Any]) -> TargetEntry:
        """The target of a document that has the options of its type as well."""
        known = {*self.fields, *self.ignored}
        common = {key: value for key, value in document.items() if key in known}
        options = {key: value for key, value in document.items() if key not in known}
        problems: dict[str, Any] = {}
        data: dict[str, Any] = {}
        public: Mapping[str, Any] = {}
        secrets: Mapping[str, Any] = {}
        try:
            data = self.load(common)
        except ValidationError as error:
            problems |= error.messages_dict
        if isinstance(type := document.get("type"), str):
            try:
                public, secrets = self._check(type, options)
            except InvalidValue as error:
                problems |= error.messages or {error.field or "type": [str(error)]}
        if problems:
            raise ValidationError(problems)
        return TargetEntry(**data, options=public, secrets=secrets)


OF_EVERY_TARGET = frozenset({"name", "comment", "disable", "filter", "fallback", "guards"})
"""The properties of a target that its type has no part in."""


class GroupSchema(_EntrySchema):
    """A group."""

    targets = _Texts(data_key="target", load_default=list)
    filter = fields.String(load_default="")

    @post_load
    def _entry(self, data: dict[str, Any], **_: Any) -> GroupEntry:
        return GroupEntry(**{**data, "targets": tuple(data["targets"])})


class FilterSchema(_EntrySchema):
    """A filter."""

    min_severity = fields.String(data_key="min-severity", required=True, error_messages=_MISSING)

    @post_load
    def _entry(self, data: dict[str, Any], **_: Any) -> FilterEntry:
        word = _raised(severity.checked, data["min_severity"], "min-severity")
        if word == severity.UNKNOWN:
            message = f"nothing is more or less severe than {word!r}. Use another word."
            raise ValidationError(message, "min-severity")
        return FilterEntry(**{**data, "min_severity": word})


class MatcherSchema(_EntrySchema):
    """A matcher."""

    targets = _Texts(data_key="target", load_default=list)
    match_field = _Texts(data_key="match-field", load_default=list)
    match_severity = _Texts(data_key="match-severity", load_default=list)
    match_calendar = _Texts(data_key="match-calendar", load_default=list)
    mode = fields.String(load_default="all", validate=_check_mode)
    invert_match = fields.Boolean(data_key="invert-match", load_default=False)

    @validates_schema(skip_on_field_errors=False)
    def _rules(self, data: Mapping[str, Any], **_: Any) -> None:
        problems: dict[str, list[str]] = {}
        for text in data.get("match_field") or ():
            _gather(problems, "match-field", _matcher(match_field=(text,)))
        for word in _words(data.get("match_severity") or ()):
            _gather(problems, "match-severity", _matcher(match_severity=(word,)))
        for text in data.get("match_calendar") or ():
            _gather(problems, "match-calendar", _matcher(match_calendar=(text,)))
        if problems:
            raise ValidationError(problems)

    @post_load
    def _entry(self, data: dict[str, Any], **_: Any) -> MatcherEntry:
        words = tuple(map(severity.checked, _words(data["match_severity"])))
        lists = {name: tuple(data[name]) for name in ("targets", "match_field", "match_calendar")}
        return MatcherEntry(**{**data, **lists, "match_severity": words})


def _words(given: Any) -> list[str]:
    """Severities, one by one: Proxmox writes several with commas between."""
    return [word.strip() for text in given for word in text.split(",")]


def _matcher(**rules: tuple[str, ...]) -> MatcherEntry:
    return MatcherEntry("unnamed", **rules)  # type: ignore[arg-type]


def _gather(problems: dict[str, list[str]], key: str, matcher: MatcherEntry) -> None:
    try:
        rules_of(matcher)
    except InvalidValue as error:
        problems.setdefault(key, []).append(str(error))


def _raised(check: Any, value: str, key: str = "_schema") -> Any:
    try:
        return check(value)
    except InvalidValue as error:
        raise ValidationError(str(error), key) from error
