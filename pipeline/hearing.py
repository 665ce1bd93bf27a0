"""Hearing: wires what brings events in, from the files and listeners to the worker and the sinks.

A part of the composition root, which makes one for each command or process; the other side is
`pipeline.telling`. Nothing is opened before it is asked for.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline import yaml_source
from pipeline.alarms.live import LiveAlarms
from pipeline.errors import ConfigError, Problem, StoreUnavailable
from pipeline.feed import AlarmFeed
from pipeline.kinds import Kinds
from pipeline.listeners.base import Stopped
from pipeline.listeners.bus import BusListener
from pipeline.listeners.http import HttpListener
from pipeline.listeners.rabbitmq import RabbitmqListener
from pipeline.listeners.replay import Replayed, ReplayListener
from pipeline.normalise import Normaliser, compiled
from pipeline.observer import Observer
from pipeline.process import Part
from pipeline.publishers import Publishers, from_url
from pipeline.publishers.base import Archive, Tools
from pipeline.reload import file_stamps
from pipeline.replaying import Replaying
from pipeline.routing import Routes, load_routes
from pipeline.settings import Settings, publisher_tools
from pipeline.sinks import Sinks
from pipeline.store.base import RejectedEvent
from pipeline.store.sql import SqlStore
from pipeline.telling import Telling, nobody
from pipeline.tracing import Tracing
from pipeline.worker import Tally, Worker

if TYPE_CHECKING:
    from pipeline.outside import Outside


class Root(Protocol):
    """What is asked of the composition root."""

    @property
    def settings(self) -> Settings:
        """The effective settings."""

    @property
    def store(self) -> SqlStore:
        """The store, opened at the first use."""

    @property
    def telling(self) -> Telling:
        """What plans deliveries."""

    @property
    def tracing(self) -> Tracing:
        """What traces, if anything is traced."""

    @property
    def outside(self) -> Outside | None:
        """How the process is seen from outside, where it is."""

    @property
    def observer(self) -> Observer | None:
        """Who is told what goes on."""

    def clock(self) -> datetime:
        """Now, aware UTC."""

    def new_id(self) -> str:
        """A new unique id."""


class Hearing:
    """What one process needs to take events in. `open` closes what is opened here."""

    def __init__(self, root: Root, log: Any, open: ExitStack) -> None:
        self._root, self._log, self._open = root, log, open
        self._followed: tuple[LiveAlarms, Callable[[], None]] | None = None
        """The alarms of the worker that listens here, and what wakes the notifier."""
        self._replaying = Replaying(
            self._start_replaying,
            lambda: self.configuration()[:2],
            lambda: file_stamps(self.files()),
        )
        self._costly_turn = threading.Lock()

    def files(self) -> list[Path]:
        """The files that say what events become, and where they go."""
        settings = self._root.settings
        return [settings.normalise.file, settings.routing.file]

    def normaliser(self, definitions: Path | None = None) -> Normaliser:
        """By the definitions file, or this one, as it now is. Raises `ConfigError`."""
        wanted = self._root.settings.normalise
        document = yaml_source.load_file(definitions or wanted.file)
        return Normaliser(
            compiled(document, text_limit=wanted.text_limit),
            drop_unmatched=wanted.drop_unmatched_notifications,
            store_raw=wanted.store_raw,
            telemetry_secret=self._root.settings.publishing.telemetry_secret,
        )

    def routes(self) -> Routes:
        """By the pipelines file as it now is. Raises `ConfigError`."""
        tools = self._publishing_tools()
        file = yaml_source.load_file(self._root.settings.routing.file)
        return load_routes(file, lambda url: from_url(url, tools))

    def _publishing_tools(self, archive: Archive | None = None) -> Tools:
        made = publisher_tools(self._root.settings)
        return replace(made, archive=archive, clock=self._root.clock, log=self._log)

    def configuration(self) -> tuple[Normaliser, Routes, Kinds]:
        """All files, or a `ConfigError` with the problems of all."""
        made: list[Any] = []
        problems: list[Problem] = []
        for load in (self.normaliser, self.routes, self._root.telling.read_kinds):
            try:
                made.append(load())
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return made[0], made[1], made[2]

    @cached_property
    def publishers(self) -> Publishers:
        """One publisher for each URL of the pipelines file."""
        publishers = Publishers(self._publishing_tools(archive=self._root.store))
        self._open.callback(publishers.close)
        return publishers

    @cached_property
    def sinks(self) -> Sinks:
        """A lane for each publisher."""
        sinks = Sinks(
            self.publishers,
            self._root.store,
            self._root.settings.publishing,
            clock=self._root.clock,
            new_id=self._root.new_id,
            log=self._log,
            observer=self._root.observer,
        )
        self._open.callback(sinks.close)
        return sinks

    def worker(self, wake: Callable[[], None] = nobody) -> tuple[Worker, AlarmFeed]:
        """A worker, with all alarms loaded, and the feed that keeps them true to the store."""
        alarms = LiveAlarms()
        feed = self._feed(alarms)
        worker = self._worker(alarms, wake, self._root.observer)
        feed.load()
        self._root.telling.load()
        if self._root.outside:
            self._root.outside.show_alarms(alarms, lambda: worker.unconvertible)
        self._followed = alarms, wake
        return worker, feed

    def _worker(
        self, alarms: LiveAlarms, wake: Callable[[], None], observer: Observer | None
    ) -> Worker:
        normaliser, routes, _ = self.configuration()
        return Worker(
            normaliser=normaliser,
            routes=routes,
            sinks=self.sinks,
            alarms=alarms,
            store=self._root.store,
            clock=self._root.clock,
            log=self._log,
            wake=wake,
            observer=observer,
            tracing=self._root.tracing,
            planner=self._root.telling.planner,
        )

    def _feed(self, alarms: LiveAlarms) -> AlarmFeed:
        seconds = self._root.settings.alarms.refresh_seconds
        return AlarmFeed(self._root.store, alarms, refresh_seconds=seconds, log=self._log)

    def replay(
        self, paths: Sequence[str | Path], progress: bool | None = None
    ) -> tuple[Tally, Replayed]:
        """Take captured messages in; returns when they are committed and the sinks have theirs."""
        worker, _ = self.worker()
        listener = ReplayListener(paths, worker, progress=progress)
        before = signal.signal(signal.SIGINT, lambda number, frame: listener.stop())
        try:
            listener.run()
            self.sinks.settle(self._root.settings.process.drain_seconds)
        finally:
            signal.signal(signal.SIGINT, before)
        return worker.tally, listener.replayed

    def replay_rejected(self, rejected: RejectedEvent) -> str | None:
        """Take a rejected event in again; the reason, if it is rejected again."""
        return self._replaying.take_in(rejected)

    def _start_replaying(self) -> tuple[Worker, Callable[[], None]]:
        """A worker for rejected events. Where this process listens, on the alarms that it follows;
        else on alarms of its own, which are looked after with each event."""
        if self._followed:
            return self._worker(*self._followed, observer=None), nobody
        alarms = LiveAlarms()
        feed = self._loaded_once(alarms)

        def refresh() -> None:
            feed.refresh()
            self._root.telling.load()

        return self._worker(alarms, nobody, observer=None), refresh

    def _loaded_once(self, alarms: LiveAlarms) -> AlarmFeed:
        """The feed that has loaded them, and did not wait for a store that is away. Raises
        `StoreUnavailable`."""
        feed = self._feed(alarms)
        feed.stop()
        try:
            feed.load()
        except Stopped as error:
            raise StoreUnavailable("the alarms cannot be loaded; the log says why") from error
        return feed

    def costly_alarms(self) -> list[tuple[str | None, str, int]]:
        """What can cost most to match: (project or None for all, event type, alarms scanned)."""
        with self._costly_turn:
            if self._followed:
                return self._followed[0].costly()
            alarms = LiveAlarms()
            self._loaded_once(alarms)
            return alarms.costly()

    def listeners(self, worker: Worker, http: bool) -> list[Part]:
        """A listener for each source that is set; `http` for what is posted."""
        rabbitmq, bus = self._root.settings.rabbitmq, self._root.settings.bus
        listeners: list[Part] = [RabbitmqListener(rabbitmq, url, worker) for url in rabbitmq.urls]
        listeners += [BusListener(bus, url, worker) for url in bus.urls]
        if http:
            listeners.append(HttpListener(self._root.settings.http, worker, worker.understand))
        return listeners
