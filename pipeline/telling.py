"""Telling: wires what brings notifications to people, from planning to the notifier.

A part of the composition root, which makes one for each command or process. Nothing is opened
before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from random import random
from time import monotonic
from typing import Any

from pipeline import yaml_source
from pipeline.alarms.alarm import Transition
from pipeline.alarms.schedule import zone
from pipeline.arrivals import ArrivalWatch
from pipeline.dispatch import Entry
from pipeline.dispatch.live import LiveRouting
from pipeline.dispatch.routing import Routing
from pipeline.feed import RoutingFeed
from pipeline.kinds import Kinds, kinds_in
from pipeline.lookups import Lookup
from pipeline.notification import Attempt, Delivery, Notification
from pipeline.notifier import Notifier, told
from pipeline.observer import Observer
from pipeline.planner import Notify, Planner
from pipeline.sending import Sender
from pipeline.settings import Settings
from pipeline.store.sql import SqlStore
from pipeline.targets import Targets, no_lookups
from pipeline.targets.base import Tools
from pipeline.templates import Templates
from pipeline.tracing import Tracing


def nobody() -> None:
    """Wakes nobody: the notifiers are other processes, and look by themselves."""


class Telling:
    """What one process needs to plan and to deliver. `open` closes what is opened here."""

    def __init__(
        self,
        settings: Settings,
        store: Callable[[], SqlStore],
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        log: Any,
        open: ExitStack,
        look_up: Callable[[Lookup], str] = no_lookups,
    ) -> None:
        self._settings, self._store = settings, store
        self._clock, self._new_id = clock, new_id
        self._log, self._open, self._look_up = log, open, look_up
        self._with_secrets, self._wake = False, nobody
        self._observer: Observer | None = None

    @cached_property
    def kinds(self) -> Kinds:
        """The kinds of notifications. Raises `ConfigError` for a file that cannot be used."""
        return self.read_kinds()

    def read_kinds(self) -> Kinds:
        """The kinds as their file now has them. Raises `ConfigError`."""
        file = self._settings.kinds.file
        return kinds_in(yaml_source.load_file(file) if file else None)

    def use(self, kinds: Kinds) -> None:
        """Plan and tell by these kinds from now on."""
        self.kinds = kinds
        self.templates.kinds = kinds
        self.live.use(kinds)

    @cached_property
    def templates(self) -> Templates:
        """What puts notifications into words. Raises `ConfigError` for its directory or kinds."""
        return Templates(self._settings.templates, self.kinds, self._log)

    @cached_property
    def live(self) -> LiveRouting:
        """The routing in force; empty until a feed has loaded it."""
        return self._empty()

    @cached_property
    def planner(self) -> Planner:
        """What plans by it."""
        return Planner(self.live, self._log)

    def plan(
        self, transitions: Sequence[Transition], entries: Sequence[Entry]
    ) -> Sequence[Sequence[str]]:
        """Where notifications go by these entries, which the store has from its transaction."""
        live = self._empty()
        live.load(0, entries, {})
        return [Planner(live, self._log).actions(each) for each in transitions]

    def feed(self, *, with_secrets: bool) -> RoutingFeed:
        """What keeps the routing true to the store; `with_secrets` for who delivers."""
        self._with_secrets = with_secrets
        return RoutingFeed(
            self._store(),
            self.live,
            with_secrets=with_secrets,
            refresh_seconds=self._settings.alarms.refresh_seconds,
            log=self._log,
        )

    def load(self) -> None:
        """Read the routing once, for a command; a process follows it by `feed`."""
        secrets = self._with_secrets  # of who delivers in this process, too
        found = self._store().routing_after(self.live.revision, with_secrets=secrets)
        if found is not None:
            self.live.load(found.revision, found.entries, found.unreadable)

    def routing(self) -> Routing:
        """What people set up, as it is at this moment, without secrets: for who explains."""
        return self._as_it_is().routing

    def sender(self) -> Sender:
        """What sends notifications by the routing as it is at this moment."""
        live = self._as_it_is()
        notify = Notify(Planner(live, self._log), self._store(), self._clock, self._wake)
        return Sender(live.routing, notify, self._clock, self._new_id)

    def attempt(self, name: str, notification: Notification) -> Attempt:
        """One try to tell a target of something, now; nothing is recorded."""
        delivery = Delivery(self._new_id(), f"target:{name}", 0, notification)
        started_at, began = self._clock(), monotonic()
        with closing(self._targets(self._in_clear())) as targets:
            outcome = told(targets, delivery, self._settings.delivery.guard)
        return Attempt(delivery.delivery_id, 1, started_at, monotonic() - began, outcome)

    @cached_property
    def targets(self) -> Targets:
        """What delivers to an action, by the routing in force."""
        targets = self._targets(self.live)
        self._open.callback(targets.close)
        return targets

    def notifier(self, observer: Observer | None, tracing: Tracing) -> Notifier:
        """The outbound loop, which what is sent in this process wakes."""
        if observer is not None:
            self.templates.failed = observer.template_failed
            self._observer = observer
        notifier = Notifier(
            outbox=self._store(),
            targets=self.targets,
            settings=self._settings.delivery,
            clock=self._clock,
            random=random,
            # Bound once: one that is not is made anew for every line, told or not.
            log=self._log.bind(),
            observer=observer,
            tracing=tracing,
            live=self.live,
            plan=self._actions_of,
        )
        self._wake = notifier.wake
        return notifier

    def arrivals(self, notifier: Notifier, *, alone: bool) -> list[ArrivalWatch]:
        """What wakes the notifier for what other processes write. On SQLite, which has to be
        asked all the time, only where the worker is surely in another process."""
        store = self._store()
        if alone or not store.is_sqlite:
            return [ArrivalWatch(store, notifier.wake, self._log)]
        return []

    def _empty(self) -> LiveRouting:
        return LiveRouting(self.kinds, zone(self._settings.notifications.timezone))

    def _as_it_is(self) -> LiveRouting:
        """All entries as they now are, without secrets; what the process follows stays as it
        is."""
        live = self._empty()
        if found := self._store().routing_after(live.revision, with_secrets=False):
            live.load(found.revision, found.entries, found.unreadable)
        return live

    def _in_clear(self) -> LiveRouting:
        """All entries as they now are, with their secrets, and enabled: for one try."""
        live = LiveRouting()
        if found := self._store().routing_after(live.revision, with_secrets=True):
            enabled = [replace(entry, disable=False) for entry in found.entries]
            live.load(found.revision, enabled, found.unreadable)
        return live

    def _targets(self, entries: LiveRouting) -> Targets:
        tools = Tools.by(
            self._settings.delivery, self._clock, self._log, self.templates, self._observer
        )
        return Targets(tools, entries, self._look_up)

    def _actions_of(self, notification: Notification) -> Sequence[str]:
        return self.planner.planned(notification, (), self._clock()).actions
