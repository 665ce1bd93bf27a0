"""Checking: whether every configuration file can be used, and what is in it.

`check` reads the files that the settings in force name, and opens nothing else: no database, no
broker, no sink. The settings themselves were checked when they were loaded. Called by
`tocsin check`, and fit for a deployment's tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline import tracing, yaml_source
from pipeline.alarms.files import load_alarms
from pipeline.errors import ConfigError, InvalidValue, Problem
from pipeline.kinds import KindsSettings, kinds_in
from pipeline.masking import mask_url
from pipeline.normalise import NormaliseSettings, compiled
from pipeline.option_sources import DEFAULT
from pipeline.publishers import from_url
from pipeline.routing import load_routes
from pipeline.secrets import KeyFile
from pipeline.settings import LoadedSettings, Settings, publisher_tools
from pipeline.targets import check_action
from pipeline.templates.checking import inline_problems, problems_in

# Alarms that are only checked need no time of their own.
_NO_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, a line for each file that can be used, and all problems of the others."""

    found: tuple[str, ...]
    problems: tuple[Problem, ...]


def check(loaded: LoadedSettings, alarms: Path | None = None) -> Report:
    """Check the definitions and the pipelines file, and a file of alarms if one is given."""
    settings = loaded.settings
    readings: list[Callable[[], str]] = [
        lambda: _settings(loaded),
        lambda: _definitions(settings.normalise),
        lambda: _pipelines(settings),
    ]
    if Path(settings.secrets.key_file).exists():
        readings.append(lambda: _keys(settings.secrets.key_file))
    if settings.kinds.file:
        readings.append(lambda: _kinds(settings.kinds))
    if settings.templates.directory:
        readings.append(lambda: _templates(settings))
    if settings.tracing.enabled:
        readings.append(lambda: _tracing(loaded))
    if alarms is not None:
        readings.append(lambda: _alarms(alarms, settings.alarms.max_actions))
    found: list[str] = []
    problems: list[Problem] = []
    for reading in readings:
        try:
            found.append(reading())
        except ConfigError as error:
            problems += error.problems
    return Report(tuple(found), tuple(problems))


def _settings(loaded: LoadedSettings) -> str:
    origins = Counter(origin.partition(" ")[0] for origin in loaded.origins.values())
    from_environment, default = origins["environment"], origins[DEFAULT]
    given = len(loaded.origins) - from_environment - default
    where = f"{loaded.file}: {_count(given, 'setting')}" if loaded.file else "no settings file"
    return f"{where}; {from_environment} from the environment; {_count(default, 'default')}"


def _definitions(settings: NormaliseSettings) -> str:
    document = yaml_source.load_file(settings.file)
    definitions = compiled(document, text_limit=settings.text_limit)
    traits = {name for definition in document.value for name in definition["traits"]}
    counts = f"{_count(len(definitions), 'definition')}, {_count(len(traits), 'trait')}"
    return f"{settings.file}: {counts}"


def _pipelines(settings: Settings) -> str:
    file = settings.routing.file
    tools = publisher_tools(settings)
    routes = load_routes(yaml_source.load_file(file), lambda url: from_url(url, tools))
    urls = ", ".join(mask_url(url) for url in routes.publishers()) or "none"
    return f"{file}: {_count(len(routes.sources), 'source')}, publishing to {urls}"


def _keys(path: str) -> str:
    try:
        keys = KeyFile(path).keys()
    except InvalidValue as error:
        message = str(error).removeprefix(f"{path}: ")
        raise ConfigError([Problem(path, None, None, "", message)]) from error
    return f"{path}: {_count(len(keys.all) if keys else 0, 'key')}"


def _kinds(settings: KindsSettings) -> str:
    document = yaml_source.load_file(settings.file)
    kinds = kinds_in(document)
    listed = document.value["kinds"] if document.value else []
    problems = [
        document.problem(("kinds", index, key), message)
        for index, entry in enumerate(listed)
        for key, message in inline_problems(kinds.find(entry["id"]))
    ]
    if problems:
        raise ConfigError(problems)
    return f"{settings.file}: {_count(len(listed), 'kind')}"


def _templates(settings: Settings) -> str:
    directory = settings.templates.directory
    try:
        kinds = (
            kinds_in(yaml_source.load_file(settings.kinds.file))
            if settings.kinds.file
            else (kinds_in(None))
        )
    except ConfigError:
        kinds = kinds_in(None)  # What is wrong with that file has been said.
    count, problems = problems_in(directory, kinds)
    if problems:
        raise ConfigError(problems)
    return f"{directory}: {_count(count, 'template')}"


def _tracing(loaded: LoadedSettings) -> str:
    try:
        tracing.expect_installed()
    except InvalidValue as error:
        origin = loaded.origins["tracing.enabled"]
        raise ConfigError([Problem(origin, None, None, "", str(error))]) from error
    return f"tracing: to {mask_url(loaded.settings.tracing.endpoint)}"


def _alarms(file: Path, max_actions: int) -> str:
    try:
        text = file.read_bytes()
    except OSError as error:
        message = f"cannot be read: {error.strerror}. Check the path and its permissions."
        raise ConfigError([Problem(str(file), None, None, "", message)]) from error
    alarms = load_alarms(
        text,
        str(file),
        new_id=str,
        now=_NO_TIME,
        check_action=check_action,
        max_actions=max_actions,
    )
    return f"{file}: {_count(len(alarms), 'alarm')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
