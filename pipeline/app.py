"""Application: the composition root, the only place that wires the parts together.

Each command gets one `Application` and asks it for what it needs. Nothing is opened before it is
asked for: `tocsin check` needs no database, `tocsin alarm list` no definitions.
"""

from __future__ import annotations

import getpass
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import structlog

from pipeline import __version__, logs, settings, yaml_source
from pipeline.access import LOCAL
from pipeline.alarms.live import LiveAlarms
from pipeline.check import check
from pipeline.desk import LocalDesk
from pipeline.errors import ConfigError, InvalidValue, Problem
from pipeline.feed import AlarmFeed
from pipeline.health import DIRECTORY_VARIABLE
from pipeline.kinds import Kinds
from pipeline.listeners.base import Message
from pipeline.listeners.bus import BusListener
from pipeline.listeners.http import HttpListener
from pipeline.listeners.rabbitmq import RabbitmqListener
from pipeline.listeners.replay import Replayed, ReplayListener
from pipeline.normalise import Normaliser, compiled
from pipeline.notifier import Notifier
from pipeline.observer import Observer
from pipeline.past import Past
from pipeline.process import Part, Process
from pipeline.pruner import Pruner
from pipeline.publishers import Publishers, from_url
from pipeline.publishers.base import Archive, Tools
from pipeline.reload import FileWatch
from pipeline.republisher import Republisher
from pipeline.routing import Routes, load_routes
from pipeline.secrets import KeyFile, KeyFileSealer, Sources
from pipeline.sending import Sender
from pipeline.settings import LoadedSettings, Settings, publisher_tools
from pipeline.sinks import Sinks
from pipeline.store.base import RejectedEvent
from pipeline.store.sql import SqlStore, new_id
from pipeline.supervisor import Supervisor, WorkerCommand
from pipeline.telling import Telling, nobody
from pipeline.templates import Templates
from pipeline.tracing import Tracing, switched_on
from pipeline.worker import Tally, Worker

if TYPE_CHECKING:
    from pipeline.api import ApiServer
    from pipeline.desk import Desk
    from pipeline.outside import Outside


class Application:
    """Everything that one command works with. Close it when done."""

    def __init__(
        self,
        config_path: str | None = None,
        environ: Mapping[str, str] = os.environ,
        client: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """`client` are settings `client.*` that go before those of file and environment."""
        self._config_path, self._environ, self._client = config_path, environ, client
        self._log = structlog.get_logger()
        self._open = ExitStack()
        self.worker_number: int | None = None
        """Which of several workers this process is, where it is one; its log lines say so."""
        self._outside: Outside | None = None

    @cached_property
    def loaded(self) -> LoadedSettings:
        """The settings in force and where each came from. Raises `ConfigError`."""
        loaded = settings.load(self._config_path, self._environ)
        if self._client:
            client = replace(loaded.settings.client, **self._client)
            loaded = replace(loaded, settings=replace(loaded.settings, client=client))
        logs.configure(loaded.settings.log, worker=self.worker_number)
        for warning in loaded.warnings:
            self._log.warning("settings.unknown", reason=warning)
        return loaded

    @property
    def settings(self) -> Settings:
        """The effective settings."""
        return self.loaded.settings

    def use_api(self, given: Mapping[str, Any]) -> None:
        """Let these settings `api.*` go before those of file and environment."""
        present = self.loaded
        api = replace(present.settings.api, **given)
        self.loaded = replace(present, settings=replace(present.settings, api=api))

    def clock(self) -> datetime:
        """Now, aware UTC."""
        return datetime.now(UTC)

    def new_id(self) -> str:
        """A new unique id."""
        return new_id()

    def close(self) -> None:
        """Let go of files and connections."""
        self._open.close()

    @cached_property
    def store(self) -> SqlStore:
        """The store, opened and migrated at the first use."""
        store = SqlStore.open(
            self.settings.database,
            clock=self.clock,
            new_id=self.new_id,
            told=self.settings.self_notifications.publishers,
            sealer=self.sealer,
            plan=lambda transitions, entries: self.telling.plan(transitions, entries),
        )
        self._open.callback(store.close)
        return store

    @cached_property
    def sealer(self) -> KeyFileSealer:
        """What seals the secrets of targets; its file is made when it is first needed."""
        return KeyFileSealer(KeyFile(self.settings.secrets.key_file))

    @cached_property
    def publishers(self) -> Publishers:
        """One publisher for each URL of the pipelines file."""
        publishers = Publishers(self._publishing_tools(archive=self.store))
        self._open.callback(publishers.close)
        return publishers

    @cached_property
    def sinks(self) -> Sinks:
        """A lane for each publisher."""
        sinks = Sinks(
            self.publishers,
            self.store,
            self.settings.publishing,
            clock=self.clock,
            new_id=self.new_id,
            log=self._log,
            observer=self._observer,
        )
        self._open.callback(sinks.close)
        return sinks

    # --- configuration -----------------------------------------------------------------------

    def normaliser(self, definitions: Path | None = None) -> Normaliser:
        """By the definitions file, or this one, as it now is. Raises `ConfigError`."""
        wanted = self.settings.normalise
        document = yaml_source.load_file(definitions or wanted.file)
        return Normaliser(
            compiled(document, text_limit=wanted.text_limit),
            drop_unmatched=wanted.drop_unmatched_notifications,
            store_raw=wanted.store_raw,
            telemetry_secret=self.settings.publishing.telemetry_secret,
        )

    def routes(self) -> Routes:
        """By the pipelines file as it now is. Raises `ConfigError`."""
        tools = self._publishing_tools()
        file = yaml_source.load_file(self.settings.routing.file)
        return load_routes(file, lambda url: from_url(url, tools))

    @property
    def kinds(self) -> Kinds:
        """The kinds of notifications. Raises `ConfigError`."""
        return self.telling.kinds

    @property
    def templates(self) -> Templates:
        """What puts notifications into words. Raises `ConfigError`."""
        return self.telling.templates

    def past(self) -> Past:
        """Where to find what was there before, to try something out with."""
        return Past(self.store, self.normaliser(), self.clock())

    def sender(self) -> Sender:
        """What sends notifications by the routing as it now is."""
        return self.telling.sender()

    def _publishing_tools(self, archive: Archive | None = None) -> Tools:
        made = publisher_tools(self.settings)
        return replace(made, archive=archive, clock=self.clock, log=self._log)

    def configuration(self) -> tuple[Normaliser, Routes, Kinds]:
        """All files, or a `ConfigError` with the problems of all."""
        made: list[Any] = []
        problems: list[Problem] = []
        for load in (self.normaliser, self.routes, self.telling.read_kinds):
            try:
                made.append(load())
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return made[0], made[1], made[2]

    # --- events in ---------------------------------------------------------------------------

    def worker(self, wake: Callable[[], None] = nobody) -> tuple[Worker, AlarmFeed]:
        """A worker, with all alarms loaded, and the feed that keeps them true to the store."""
        normaliser, routes, _ = self.configuration()
        alarms = LiveAlarms()
        feed = self._feed(alarms)
        worker = Worker(
            normaliser=normaliser,
            routes=routes,
            sinks=self.sinks,
            alarms=alarms,
            store=self.store,
            clock=self.clock,
            log=self._log,
            wake=wake,
            observer=self._observer,
            tracing=self.tracing,
            planner=self.telling.planner,
        )
        feed.load()
        if self.telling.live.revision < 0:  # a command, not a process that follows
            self.telling.load()
        if self._outside:
            self._outside.show_alarms(alarms, lambda: worker.unconvertible)
        return worker, feed

    def _feed(self, alarms: LiveAlarms) -> AlarmFeed:
        seconds = self.settings.alarms.refresh_seconds
        return AlarmFeed(self.store, alarms, refresh_seconds=seconds, log=self._log)

    def replay(
        self, paths: Sequence[str | Path], progress: bool | None = None
    ) -> tuple[Tally, Replayed]:
        """Take captured messages in; returns when they are committed and the sinks have theirs."""
        worker, _ = self.worker()
        listener = ReplayListener(paths, worker, progress=progress)
        before = signal.signal(signal.SIGINT, lambda number, frame: listener.stop())
        try:
            listener.run()
            self.sinks.settle(self.settings.process.drain_seconds)
        finally:
            signal.signal(signal.SIGINT, before)
        return worker.tally, listener.replayed

    def replay_rejected(self, rejected: RejectedEvent) -> str | None:
        """Take a rejected event in again; the reason, if it is rejected again."""
        worker, feed = self._replaying
        feed.refresh()
        self.telling.load()
        message = Message(
            rejected.body, rejected.content_type, rejected.headers or None, rejected.source
        )
        if reason := worker.understand(message):
            return reason
        rejected_before = worker.tally.rejected
        decisions = worker.decide([message])
        if decisions is not None:
            worker.commit(decisions)
        if worker.tally.rejected > rejected_before:
            return "it could not be recorded; the log says why"
        return None

    @cached_property
    def _replaying(self) -> tuple[Worker, AlarmFeed]:
        """One for all rejected events that a command takes in: it holds every alarm."""
        return self.worker()

    def costly_alarms(self) -> list[tuple[str | None, str, int]]:
        """What can cost most to match: (project or None for all, event type, alarms scanned)."""
        alarms = LiveAlarms()
        self._feed(alarms).load()
        return alarms.costly()

    # --- processes ---------------------------------------------------------------------------

    def process(self, *, listen: bool, notify: bool, serve: bool = False) -> Process:
        """`tocsin run` (both), `tocsin listener`, `notifier` or `api`, ready to run."""
        process = Process(log=self._log, drain_seconds=self.settings.process.drain_seconds)
        # Before the files are read, so that no change between is missed.
        of_events = [self.settings.normalise.file, self.settings.routing.file] if listen else []
        of_kinds = [Path(file)] if (file := self.settings.kinds.file) else []
        watch = FileWatch([*of_events, *of_kinds], process.hang_up)
        process.on_hangup = self._reload()
        outside = self._outside = self._look_from_outside()
        notifier = [self.notifier()] if notify else []
        routing = self.telling.feed(with_secrets=notify)
        routing.load()
        if self.settings.retention.enabled:
            process.add_stage([self.pruner()])
        if listen:
            # In the process that also notifies, HTTP is on unless it is turned off.
            http = notify if self.settings.http.enabled is None else self.settings.http.enabled
            self._add_listening(process, http, notifier[0].wake if notifier else nobody)
        wanted = self.settings.api.enabled
        if serve or (listen and notify if wanted is None else wanted):
            process.add_stage([self.api()])
        if notify:
            arrivals = self.telling.arrivals(notifier[0], alone=not listen)
            process.add_stage([*arrivals, *notifier])
        process.join_last_stage(routing)
        process.join_last_stage(watch)
        if outside:
            process.join_last_stage(outside.gauges)
            outside.show_store(self.store)
            outside.show(process)
        return process

    @cached_property
    def tracing(self) -> Tracing:
        """Traces what the settings say. Raises `InvalidValue` where OpenTelemetry is missing."""
        if not self.settings.tracing.enabled:
            return Tracing()
        tracing = switched_on(self.settings.tracing, __version__)
        self._open.callback(tracing.close)
        return tracing

    @property
    def _observer(self) -> Observer | None:
        return self._outside.metrics if self._outside else None

    def _look_from_outside(self) -> Outside | None:
        """How this process is seen from outside; None where it is not to be seen.

        A worker of several counts into files of its parent, which tells of all of them.
        """
        wanted, is_worker = self.settings.metrics, DIRECTORY_VARIABLE in self._environ
        if not (wanted.enabled or is_worker):
            return None
        from pipeline.outside import Outside

        outside = Outside(wanted, self.clock, self._log)
        if not is_worker:
            self._open.callback(outside.serve().close)
        return outside

    def pruner(self) -> Pruner:
        """What removes what is too old."""
        return Pruner(
            self.store,
            self.settings.retention,
            clock=self.clock,
            new_id=self.new_id,
            log=self._log,
        )

    def supervisor(self, command: WorkerCommand, workers: int, *, listen: bool) -> Supervisor:
        """The parent of so many workers. Raises `ConfigError` for files that each of them would
        refuse, so that it is said once."""
        if listen and (problems := check(self.loaded).problems):
            raise ConfigError(problems)
        drain_seconds = self.settings.process.drain_seconds
        if not self.settings.metrics.enabled:
            return Supervisor(command, workers, log=self._log, drain_seconds=drain_seconds)
        from pipeline.outside import WorkersOutside

        outside = WorkersOutside(self.settings.metrics, self._log)
        self._open.callback(outside.close)

        def counting(number: int) -> tuple[Sequence[str], Mapping[str, str]]:
            line, environment = command(number)
            return line, {**environment, DIRECTORY_VARIABLE: outside.directory}

        return Supervisor(
            counting,
            workers,
            log=self._log,
            drain_seconds=drain_seconds,
            on_ended=outside.forget,
        )

    @cached_property
    def telling(self) -> Telling:
        """What brings notifications to people."""
        store, log = (lambda: self.store), self._log
        look_up = Sources(self._environ, self.settings.secrets.lookups)
        return Telling(self.settings, store, self.clock, self.new_id, log, self._open, look_up)

    @cached_property
    def desk(self) -> Desk:
        """Where people's questions go: the server that is set, else the store of this machine."""
        client = self.settings.client
        if not client.server:
            return LocalDesk(self, replace(LOCAL, user_id=_login()))
        from pipeline.remote import Connection, RemoteDesk

        connection = Connection(client)
        self._open.callback(connection.close)
        return RemoteDesk(connection)

    def api(self) -> ApiServer:
        """The REST API."""
        from pipeline.serving import api_server

        return api_server(self, self.settings.api, self._log, self._observer)

    def notifier(self) -> Notifier:
        """The outbound loop."""
        return self.telling.notifier(self._observer, self.tracing)

    def _add_listening(self, process: Process, http: bool, wake: Callable[[], None]) -> None:
        """The inbound side, in the order in which it is to be stopped."""
        if not (http or self.settings.rabbitmq.urls or self.settings.bus.urls):
            raise InvalidValue(
                "no listener is configured. Set rabbitmq.urls (TOCSIN_RABBITMQ_URLS), bus.urls, "
                "or http.enabled to true."
            )
        worker, feed = self.worker(wake)
        republisher = Republisher(self.sinks, log=self._log)
        process.on_hangup, process.on_drain = self._reload(worker), worker.stop
        listeners = self._listeners(worker, http)
        if self._outside:
            self._outside.show_listeners(listeners)
        process.add_stage(listeners)
        process.add_stage([feed, republisher])

    def _listeners(self, worker: Worker, http: bool) -> list[Part]:
        rabbitmq, bus = self.settings.rabbitmq, self.settings.bus
        listeners: list[Part] = [RabbitmqListener(rabbitmq, url, worker) for url in rabbitmq.urls]
        listeners += [BusListener(bus, url, worker) for url in bus.urls]
        if http:
            listeners.append(HttpListener(self.settings.http, worker, worker.understand))
        return listeners

    def _reload(self, worker: Worker | None = None) -> Callable[[], None]:
        def reload() -> None:
            """A file that does not parse leaves in force what runs (events-in 31)."""
            try:
                if worker is None:
                    self.telling.use(self.telling.read_kinds())
                else:
                    normaliser, routes, kinds = self.configuration()
                    self.telling.use(kinds)
                    worker.configure(normaliser, routes)
                    self.sinks.keep_only(routes.publishers())
            except ConfigError as error:
                for problem in error.problems:
                    self._log.error("configuration.refused", problem=str(problem))
            else:
                self._log.info("configuration.reloaded")

        return reload


def _login() -> str:
    """Who runs this process, for the history; '' where the system does not say."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
