"""Application: the composition root, the only place that wires the parts together.

Each command gets one `Application` and asks it for what it needs. Nothing is opened before it is
asked for: `tocsin check` needs no database, `tocsin alarm list` no definitions.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import structlog

from pipeline import __version__, logs, settings
from pipeline.access import LOCAL, Caller
from pipeline.check import check
from pipeline.desk import LocalDesk
from pipeline.errors import ConfigError, InvalidValue
from pipeline.health import DIRECTORY_VARIABLE
from pipeline.hearing import Hearing
from pipeline.kinds import Kinds
from pipeline.listeners.replay import Replayed
from pipeline.normalise import Normaliser
from pipeline.notifier import Notifier
from pipeline.observer import Observer
from pipeline.past import Past
from pipeline.process import Process
from pipeline.pruner import Pruner
from pipeline.reload import FileWatch
from pipeline.republisher import Republisher
from pipeline.secrets import KeyFile, KeyFileSealer, Sources
from pipeline.sending import Sender
from pipeline.settings import LoadedSettings, Settings
from pipeline.store.base import RejectedEvent
from pipeline.store.sql import SqlStore
from pipeline.store.sql.ids import Ids
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
        self._log, self._ids = structlog.get_logger(), Ids()
        self._open = ExitStack()
        self.worker_number: int | None = None
        """Which of several workers this process is, where it is one; its log lines say so."""
        self.outside: Outside | None = None
        """How this process is seen from outside, where it is."""

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
        return self._ids.new()

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

    # --- processes ---------------------------------------------------------------------------

    def process(self, *, listen: bool, notify: bool, serve: bool = False) -> Process:
        """`tocsin run` (both), `tocsin listener`, `notifier` or `api`, ready to run."""
        process = Process(log=self._log, drain_seconds=self.settings.process.drain_seconds)
        # Before the files are read, so that no change between is missed.
        of_events = self.hearing.files() if listen else []
        of_kinds = [Path(file)] if (file := self.settings.kinds.file) else []
        api = self.settings.api
        serve = serve or (listen and notify if api.enabled is None else api.enabled)
        of_api = [api.certificate, api.key, api.client_ca] if serve else []
        watch = FileWatch([*of_events, *of_kinds, *filter(None, of_api)], process.hang_up)
        process.on_hangup = self._reload()
        outside = self.outside = self._look_from_outside()
        notifier = [self.notifier()] if notify else []
        routing = self.telling.feed(with_secrets=notify)
        routing.load()
        if self.settings.retention.enabled:
            process.add_stage([self.pruner()])
        if listen:
            # In the process that also notifies, HTTP is on unless it is turned off.
            http = notify if self.settings.http.enabled is None else self.settings.http.enabled
            self._add_listening(process, http, notifier[0].wake if notifier else nobody)
        if serve:
            self._add_api(process)
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
    def observer(self) -> Observer | None:
        """Who is told what goes on, where it is seen from outside."""
        return self.outside.metrics if self.outside else None

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
    def hearing(self) -> Hearing:
        """What brings events in."""
        return Hearing(self, self._log, self._open)

    def normaliser(self, definitions: Path | None = None) -> Normaliser:
        """By the definitions file, or this one, as it now is. Raises `ConfigError`."""
        return self.hearing.normaliser(definitions)

    def replay(
        self, paths: Sequence[str | Path], progress: bool | None = None
    ) -> tuple[Tally, Replayed]:
        """Take captured messages in; returns when they are committed and the sinks have theirs."""
        return self.hearing.replay(paths, progress)

    def replay_rejected(self, rejected: RejectedEvent) -> str | None:
        """Take a rejected event in again; the reason, if it is rejected again."""
        return self.hearing.replay_rejected(rejected)

    def costly_alarms(self) -> list[tuple[str | None, str, int]]:
        """What can cost most to match: (project or None for all, event type, alarms scanned)."""
        return self.hearing.costly_alarms()

    @cached_property
    def telling(self) -> Telling:
        """What brings notifications to people."""
        store, log = (lambda: self.store), self._log
        look_up = Sources(self._environ, self.settings.secrets.lookups)
        return Telling(self.settings, store, self.clock, self.new_id, log, self._open, look_up)

    @property
    def caller(self) -> Caller:
        """Who runs commands on the store of this machine, for the history."""
        return replace(LOCAL, user_id=_login())

    @cached_property
    def desk(self) -> Desk:
        """Where people's questions go: the server that is set, else the store of this machine."""
        client = self.settings.client
        if not client.server:
            return LocalDesk(self, self.caller)
        from pipeline.remote import Connection, RemoteDesk

        connection = Connection(client)
        self._open.callback(connection.close)
        return RemoteDesk(connection)

    def api(self) -> ApiServer:
        """The REST API."""
        from pipeline.serving import api_server

        return api_server(self, self.settings, self._log, self.observer)

    def notifier(self) -> Notifier:
        """The outbound loop."""
        return self.telling.notifier(self.observer, self.tracing)

    def _add_api(self, process: Process) -> None:
        """The API, whose certificate is read again with all that is reloaded."""
        server, reload = self.api(), process.on_hangup
        process.add_stage([server])

        def reload_all() -> None:
            server.reload()
            reload()

        process.on_hangup = reload_all

    def _add_listening(self, process: Process, http: bool, wake: Callable[[], None]) -> None:
        """The inbound side, in the order in which it is to be stopped."""
        if not (http or self.settings.rabbitmq.urls or self.settings.bus.urls):
            raise InvalidValue(
                "no listener is configured. Set rabbitmq.urls (TOCSIN_RABBITMQ_URLS), bus.urls, "
                "or http.enabled to true."
            )
        hearing = self.hearing
        worker, feed = hearing.worker(wake)
        republisher = Republisher(hearing.sinks, log=self._log)
        process.on_hangup, process.on_drain = self._reload(worker), worker.stop
        listeners = hearing.listeners(worker, http)
        if self.outside:
            self.outside.show_listeners(listeners)
        process.add_stage(listeners)
        process.add_stage([feed, republisher])

    def _reload(self, worker: Worker | None = None) -> Callable[[], None]:
        def reload() -> None:
            """A file that does not parse leaves in force what runs (events-in 31)."""
            try:
                if worker is None:
                    self.telling.use(self.telling.read_kinds())
                else:
                    normaliser, routes, kinds = self.hearing.configuration()
                    self.telling.use(kinds)
                    worker.configure(normaliser, routes)
                    self.hearing.sinks.keep_only(routes.publishers())
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
