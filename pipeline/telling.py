"""Telling: wires what brings notifications to people, from planning to the notifier.

A part of the composition root, which makes one for each command or process. Nothing is opened
before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import cached_property
from random import random
from typing import Any

from pipeline import yaml_source
from pipeline.alarms.schedule import zone
from pipeline.dispatch.live import LiveRouting
from pipeline.feed import RoutingFeed
from pipeline.kinds import Kinds, kinds_in
from pipeline.notifier import Notifier
from pipeline.observer import Observer
from pipeline.planner import Notify, Planner
from pipeline.sending import Sender
from pipeline.settings import Settings
from pipeline.store.sql import SqlStore
from pipeline.targets import Targets
from pipeline.targets.base import Tools
from pipeline.templates import Templates
from pipeline.tracing import Tracing


class Telling:
    """What one process needs to plan and to deliver. `open` closes what is opened here."""

    def __init__(
        self,
        settings: Settings,
        store: Callable[[], SqlStore],
        clock: Callable[[], datetime],
        log: Any,
        open: ExitStack,
    ) -> None:
        self._settings, self._store, self._clock = settings, store, clock
        self._log, self._open = log, open

    @cached_property
    def kinds(self) -> Kinds:
        """The kinds of notifications. Raises `ConfigError` for a file that cannot be used."""
        file = self._settings.kinds.file
        return kinds_in(yaml_source.load_file(file) if file else None)

    @cached_property
    def templates(self) -> Templates:
        """What puts notifications into words. Raises `ConfigError` for its directory or kinds."""
        return Templates(self._settings.templates, self.kinds, self._log)

    @cached_property
    def live(self) -> LiveRouting:
        """The routing in force; empty until a feed has loaded it."""
        return LiveRouting(self.kinds, zone(self._settings.notifications.timezone))

    @cached_property
    def planner(self) -> Planner:
        """What plans by it."""
        return Planner(self.live, self._log)

    def feed(self, *, with_secrets: bool) -> RoutingFeed:
        """What keeps the routing true to the store; `with_secrets` for who delivers."""
        return RoutingFeed(
            self._store(),
            self.live,
            with_secrets=with_secrets,
            refresh_seconds=self._settings.alarms.refresh_seconds,
            log=self._log,
        )

    def load(self) -> None:
        """Read the routing once, for a command; a process follows it by `feed`."""
        found = self._store().routing_after(self.live.revision, with_secrets=False)
        if found is not None:
            self.live.load(found.revision, found.entries, found.unreadable)

    def notify(self, wake: Callable[[], None]) -> Notify:
        """What tells of anything but alarms, by the routing in force."""
        return Notify(self.planner, self._store(), self._clock, wake)

    def sender(self, new_id: Callable[[], str]) -> Sender:
        """What sends notifications, for a command: by the routing as it now is."""
        self.load()
        return Sender(self.live.routing, self.notify(lambda: None), self._clock, new_id)

    @cached_property
    def targets(self) -> Targets:
        """What delivers to an action, by the routing in force."""
        tools = Tools.by(self._settings.delivery, self._clock, self._log, self.templates)
        targets = Targets(tools, self.live)
        self._open.callback(targets.close)
        return targets

    def notifier(self, observer: Observer | None, tracing: Tracing) -> Notifier:
        """The outbound loop."""
        if observer is not None:
            self.templates.failed = observer.template_failed
        return Notifier(
            outbox=self._store(),
            targets=self.targets,
            settings=self._settings.delivery,
            clock=self._clock,
            random=random,
            # Bound once: one that is not is made anew for every line, told or not.
            log=self._log.bind(),
            observer=observer,
            tracing=tracing,
        )
