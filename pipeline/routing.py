"""Routing: which sinks an event goes to. Reads as pipelines.yaml.

Sources say which event types, sinks say which publishers; the grammar is that of Ceilometer's
event_pipeline.yaml, and its files load unchanged. `load_routes` compiles a document or reports
everything that is wrong with it; `Routes.route` answers for one event type. Pure: it opens no
publisher and publishes nothing. Called by the composition root and by the worker.

An event goes to every sink of every source that matches it. Where that names one publisher URL
more than once, the event goes there once: Ceilometer would publish it again for each sink, and
nobody downstream can tell such a repeat from a second event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pipeline.options import option
from pipeline.pipelines_schema import SourceEntry, read_pipelines
from pipeline.yaml_source import Document

ALARMS = "alarms://"
SHIPPED_PIPELINES = Path(__file__).parent / "defaults" / "pipelines.yaml"

# Event types are free text: a bound, so that a service that puts ids into them costs time only.
_REMEMBERED_EVENT_TYPES = 4096


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    """Where the routes are written down."""

    pipelines: str = option(
        "",
        "The pipelines file: which events go to which publishers. Empty: the one that Tocsin "
        "ships, which sends all events to the alarms.",
        path=True,
    )

    @property
    def file(self) -> Path:
        """The pipelines file that is meant."""
        return Path(self.pipelines) if self.pipelines else SHIPPED_PIPELINES


class Route(NamedTuple):
    """Where one event type goes.

    `alarms` says whether the alarms in this process look at it (the sink `alarms://`);
    `publishers` holds the other publishers' URLs, each once, in the order of the file.
    """

    alarms: bool
    publishers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One source: the event types that it takes, and where they go."""

    name: str
    takes: Callable[[str], bool]
    publishers: tuple[str, ...]


class Routes:
    """The routes of one pipelines file. Safe to ask from many threads."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self.route = lru_cache(maxsize=_REMEMBERED_EVENT_TYPES)(self._route)

    def publishers(self) -> tuple[str, ...]:
        """The URLs of all publishers that events may go to, each once; `alarms://` too."""
        return tuple(dict.fromkeys(url for source in self.sources for url in source.publishers))

    def _route(self, event_type: str) -> Route:
        matching = (source for source in self.sources if source.takes(event_type))
        urls = dict.fromkeys(url for source in matching for url in source.publishers)
        return Route(ALARMS in urls, tuple(url for url in urls if url != ALARMS))


def load_routes(document: Document, check_publisher: Callable[[str], object]) -> Routes:
    """Compile a pipelines file.

    `check_publisher` is given each publisher URL and raises `InvalidValue` for one that cannot
    be used. Raises `ConfigError` with all problems of the file.
    """
    pipelines = read_pipelines(document, check_publisher)
    publishers = {sink.name: sink.publishers for sink in pipelines.sinks}
    return Routes([_source(entry, publishers) for entry in pipelines.sources])


def _source(entry: SourceEntry, publishers: Mapping[str, Sequence[str]]) -> Source:
    urls = dict.fromkeys(url for sink in entry.sinks for url in publishers[sink])
    return Source(entry.name, event_filter(entry.events), tuple(urls))


def event_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether an event type passes a source's `events`: globs to take, `!globs` to leave out.

    Nothing but `!globs` takes all the rest. Case counts.
    """
    taken = _any_of([glob for glob in patterns if not glob.startswith("!")] or ["*"])
    left_out = _any_of([glob[1:] for glob in patterns if glob.startswith("!")])

    def takes(event_type: str) -> bool:
        return bool(taken.match(event_type)) and not left_out.match(event_type)

    return takes


def _any_of(globs: Sequence[str]) -> re.Pattern[str]:
    # (?!) matches nothing, as an empty list of globs should.
    return re.compile("|".join(translate(glob) for glob in globs) or "(?!)")
