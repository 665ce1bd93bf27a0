"""Fills sections of options from a settings file and from environment variables.

Generic: which sections there are, and which file, `pipeline.settings` decides. The environment
goes before the file, the file before the default. All problems of both are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from marshmallow import ValidationError

from pipeline.errors import ConfigError, InvalidValue, Problem
from pipeline.option_schema import Check, Option, options_of, schema_of
from pipeline.registry import one_of
from pipeline.yaml_source import Document

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Filled:
    """Every section filled, and where each `section.option` came from.

    An origin is `default`, `tocsin.yaml:3` or `environment TOCSIN_A_B`.
    """

    sections: Mapping[str, Any]
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Given:
    """What somebody gave for one option: `source` is where its problems are, at `path`."""

    value: Any
    origin: str
    source: Document
    path: tuple[str, ...] = ()

    def problems(self, messages: Any) -> list[Problem]:
        if self.path:
            return self.source.problems({self.path[-1]: messages}, self.path[:-1])
        found = self.source.problems({"": messages})
        return [replace(problem, line=None, column=None, path="") for problem in found]


@dataclass(slots=True)
class _Section:
    """One section on its way from what was given to an instance."""

    name: str
    type: type
    options: Mapping[str, Option]
    checks: Mapping[str, Check]
    given: dict[str, _Given] = field(default_factory=dict)


def variable(prefix: str, section: str, option: str) -> str:
    """The environment variable of `section.option`."""
    return f"{prefix}{section}_{option}".upper()


def fill(
    types: Mapping[str, type],
    document: Document | None,
    environ: Mapping[str, str],
    prefix: str,
    checks: Mapping[str, Check] = MappingProxyType({}),
) -> Filled:
    """Make an instance of each section. Raises `ConfigError` with all problems.

    `checks` are made on what is given for a `section.option`, beyond type and bounds.
    """
    sections = [_section(name, type, checks) for name, type in types.items()]
    problems = _read_file(sections, document) if document else []
    _read_environment(sections, environ, prefix)
    instances = {}
    for section in sections:
        instances[section.name], more = _instance(section)
        problems += more
    if problems:
        raise ConfigError(sorted(problems, key=lambda p: (p.line is None, p.line, p.column)))
    return Filled(instances, dict(_origins(sections)))


def _section(name: str, type: type, checks: Mapping[str, Check]) -> _Section:
    options = options_of(type)
    own = {key: checks[f"{name}.{key}"] for key in options if f"{name}.{key}" in checks}
    return _Section(name, type, options, own)


def _read_file(sections: list[_Section], document: Document) -> list[Problem]:
    """Take what the file gives; what it has that is no setting is a problem."""
    if document.value is None:
        return []
    if not isinstance(document.value, dict):
        return [document.problem((), "expects a mapping of sections, as 'log:'.")]
    by_name = {section.name: section for section in sections}
    problems = []
    for name, content in document.value.items():
        if name not in by_name:
            message = f"unknown section. {one_of(name, by_name)}"
            problems.append(document.problem((name,), message, key=True))
        elif isinstance(content, dict):
            problems += _read_section(by_name[name], content, document)
        elif content is not None:
            message = "expects a mapping of settings, each on an indented line."
            problems.append(document.problem((name,), message))
    return problems


def _read_section(
    section: _Section, content: Mapping[Any, Any], document: Document
) -> Iterator[Problem]:
    for key, value in content.items():
        path = (section.name, key)
        if key not in section.options:
            message = f"unknown setting. {one_of(key, section.options)}"
            yield document.problem(path, message, key=True)
            continue
        if section.options[key].path and isinstance(value, str) and value:
            value = str(Path(document.file).parent / Path(value).expanduser())
        line, _ = document.place(path, key=True)
        section.given[key] = _Given(value, f"{document.file}:{line}", document, path)


def _read_environment(sections: list[_Section], environ: Mapping[str, str], prefix: str) -> None:
    for section in sections:
        for key, option in section.options.items():
            name = variable(prefix, section.name, key)
            if text := environ.get(name, "").strip():
                origin = f"environment {name}"
                source = Document(origin, None, None)
                section.given[key] = _Given(option.kind.spelled(text), origin, source)


def _instance(section: _Section) -> tuple[Any, list[Problem]]:
    """The section as its dataclass, or the problems that stand in the way."""
    given = section.given
    try:
        schema = schema_of(section.options, section.checks)
        values = schema.load({key: g.value for key, g in given.items()})
        return section.type(**values), []
    except ValidationError as error:
        problems: list[Problem] = []
        for key, messages in error.messages_dict.items():
            problems += given[key].problems(messages)
        return None, problems
    except InvalidValue as error:
        return None, _refused(section, error)


def _refused(section: _Section, error: InvalidValue) -> list[Problem]:
    """A section may refuse values that do not go together; it names one of its options."""
    key = (error.field or "").removeprefix(f"{section.name}.")
    if key in section.given:
        return section.given[key].problems([str(error)])
    return [Problem("settings", None, None, f"{section.name}.{key}", str(error))]


def _origins(sections: list[_Section]) -> Iterator[tuple[str, str]]:
    for section in sections:
        for key in section.options:
            given = section.given.get(key)
            yield f"{section.name}.{key}", given.origin if given else DEFAULT
