"""pipelines.yaml as it is written: its shape, and everything that can be wrong with it.

The grammar is that of Ceilometer's event_pipeline.yaml (events-in 25, 26). Keys that it ignores
(`transformers`, `interval`, …) are ignored here too. Decides nothing about events; called by
`pipeline.routing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates_schema

from pipeline.errors import ConfigError, InvalidValue, Problem
from pipeline.registry import one_of
from pipeline.yaml_source import Document


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One entry under `sources`."""

    name: str
    events: tuple[str, ...]
    sinks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SinkEntry:
    """One entry under `sinks`. Publishers are URLs."""

    name: str
    publishers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipelines:
    """A whole file."""

    sources: tuple[SourceEntry, ...]
    sinks: tuple[SinkEntry, ...]


def read_pipelines(document: Document, check_publisher: Callable[[str], object]) -> Pipelines:
    """The file's entries. Raises `ConfigError` with all problems, in the order of the file."""
    problems = [
        *_shape_problems(document),
        *_name_problems(document, "sources"),
        *_name_problems(document, "sinks"),
        *_link_problems(document),
        *_publisher_problems(document, check_publisher),
    ]
    if problems:
        raise ConfigError(sorted(problems, key=lambda p: (p.line or 0, p.column or 0)))
    pipelines: Pipelines = _FileSchema().load(document.value)
    return pipelines


# --- what can be wrong between entries -------------------------------------------------------


def _shape_problems(document: Document) -> list[Problem]:
    return document.problems(_FileSchema().validate(document.value))


def _name_problems(document: Document, key: str) -> Iterator[Problem]:
    """Each name is taken once."""
    first_lines: dict[str, int] = {}
    kind = key.removesuffix("s")
    for index, entry in _entries(document, key):
        for _, name in _texts(entry, "name"):
            line, _column = document.place((key, index, "name"))
            if name in first_lines:
                taken = f"the name {name!r} is taken by the {kind} at line {first_lines[name]}"
                message = f"{taken}. Give each {kind} a name of its own."
                yield document.problem((key, index, "name"), message)
            first_lines.setdefault(name, line)


def _link_problems(document: Document) -> Iterator[Problem]:
    """Every sink that a source names exists, and is named once in that source."""
    sinks = _entries(document, "sinks")
    known = dict.fromkeys(name for _, sink in sinks for _, name in _texts(sink, "name"))
    for index, source in _entries(document, "sources"):
        seen: set[str] = set()
        for place, sink in _texts(source, "sinks"):
            path = ("sources", index, "sinks", place)
            if sink in seen:
                yield document.problem(path, f"the sink {sink!r} is listed twice. Take one out.")
            elif sink not in known:
                choice = one_of(sink, known) if known else "Describe it under 'sinks'."
                yield document.problem(path, f"there is no sink {sink!r}. {choice}")
            seen.add(sink)


def _publisher_problems(
    document: Document, check_publisher: Callable[[str], object]
) -> Iterator[Problem]:
    """Every publisher is one that can be used."""
    for index, sink in _entries(document, "sinks"):
        for place, text in _texts(sink, "publishers"):
            try:
                check_publisher(_url(text))
            except InvalidValue as error:
                yield document.problem(("sinks", index, "publishers", place), str(error))


def _entries(document: Document, key: str) -> list[tuple[int, Mapping[str, Any]]]:
    """The mappings listed under a key, as far as there are any."""
    value = document.value.get(key) if isinstance(document.value, dict) else None
    listed = value if isinstance(value, list) else []
    return [(index, entry) for index, entry in enumerate(listed) if isinstance(entry, dict)]


def _texts(entry: Mapping[str, Any], key: str) -> list[tuple[int, str]]:
    """The texts listed under a key, as far as there are any; a text alone is a list of one."""
    value = entry.get(key)
    listed = value if isinstance(value, list) else [value]
    return [(index, text) for index, text in enumerate(listed) if isinstance(text, str) and text]


def _url(text: str) -> str:
    """Ceilometer's older files write a publisher's name alone."""
    return text if "://" in text else f"{text}://"


# --- the shape of the file -------------------------------------------------------------------


Messages: TypeAlias = dict[str, str | list[Any] | dict[Any, Any]]


def _needed(meaning: str) -> dict[str, Any]:
    return {"required": True, "error_messages": {"required": f"is missing. Give {meaning}."}}


def _if_null(message: str) -> Messages:
    return {"null": message}


def _if_no_mapping(keys: str) -> dict[str, str]:
    return {"type": f"expects a mapping with {keys}."}


class _Text(fields.Field[str]):
    """A text that is not empty."""

    default_error_messages = _if_null("expects text, not nothing.")

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if isinstance(value, (dict, list)):
            raise ValidationError(f"expects text, not {_said(value)}.")
        if not isinstance(value, str):
            raise ValidationError(f"expects text, not {value!r}. Put it in quotes.")
        if value in {"", "!"}:
            raise ValidationError("expects text, but it is empty.")
        return value


class _Texts(fields.Field[tuple[str, ...]]):
    """A list of at least one text; a text alone stands for a list of one."""

    default_error_messages = _if_null("the list is empty. Give at least one.")

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[str, ...]:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list):
            raise ValidationError(f"expects a list of texts, not {_said(value)}.")
        if not listed:
            raise self.make_error("null")
        return tuple(cast("list[str]", fields.List(_Text()).deserialize(listed)))


class _SourceSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    error_messages = _if_no_mapping("'name', 'events' and 'sinks'")

    name = _Text(**_needed("the source a name"))
    events = _Texts(**_needed("a list of event types, as globs; ['*'] takes all"))
    sinks = _Texts(**_needed("a list of names of sinks"))

    @validates_schema(skip_on_field_errors=False)
    def _check_events(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Ceilometer's rules; to it, a glob that begins with * is neither taken nor left out."""
        events: Sequence[str] = data.get("events", ())
        taken = [glob for glob in events if glob[0] not in "!*"]
        left_out = [glob for glob in events if glob[0] == "!"]
        if taken and left_out:
            both = f"takes {taken[0]!r} and leaves out {left_out[0]!r}"
            message = f"{both}; a source does one or the other. Make two sources of it."
            raise ValidationError(message, "events")
        if taken and "*" in events:
            message = f"'*' takes {taken[0]!r} as well. Take one of them out."
            raise ValidationError(message, "events")

    @post_load
    def _entry(self, data: Mapping[str, Any], **kwargs: Any) -> SourceEntry:
        return SourceEntry(**data)


class _SinkSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    error_messages = _if_no_mapping("'name' and 'publishers'")

    name = _Text(**_needed("the sink a name"))
    publishers = _Texts(**_needed("a list of URLs, as ['alarms://']"))

    @post_load
    def _entry(self, data: Mapping[str, Any], **kwargs: Any) -> SinkEntry:
        return SinkEntry(data["name"], tuple(_url(text) for text in data["publishers"]))


def _list_of(schema: type[Schema], meaning: str) -> Any:
    message = f"expects {meaning}."
    missing = f"is missing. Give {meaning}."
    messages: Messages = {"null": message, "invalid": message, "required": missing}
    return fields.List(fields.Nested(schema), required=True, error_messages=messages)


class _FileSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    error_messages = _if_no_mapping("'sources' and 'sinks'")

    sources = _list_of(_SourceSchema, "a list of sources: which events go to which sinks")
    sinks = _list_of(_SinkSchema, "a list of sinks: which publishers each has")

    @post_load
    def _pipelines(self, data: Mapping[str, Any], **kwargs: Any) -> Pipelines:
        return Pipelines(tuple(data["sources"]), tuple(data["sinks"]))


def _said(value: Any) -> str:
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return repr(value)
