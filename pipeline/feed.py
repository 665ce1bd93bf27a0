"""Feeds: keep what a process holds in memory true to the store.

A loop of its own each, because reading the store may take long and a listener's thread must not
wait. What changed is only handed over here. A revision counter is polled on every database: one
mechanism, in force well within the second that alarms 13 allows.

`AlarmFeed` follows the alarms, for a worker; `RoutingFeed` the targets, groups, filters and
matchers, for workers and notifiers.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.alarms.alarm import Alarm
from pipeline.dispatch import Entry
from pipeline.errors import StoreUnavailable
from pipeline.listeners.base import Stopped
from pipeline.observer import Pulse
from pipeline.options import option
from pipeline.store.base import AlarmSource
from pipeline.store.routing import RoutingSource

_LONGEST_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class AlarmsSettings:
    """The settings `alarms.*`."""

    refresh_seconds: float = option(
        0.5,
        "How often a process asks the store which alarms, targets and matchers were changed; a "
        "change is in force at most that much later.",
        minimum=0.01,
    )
    max_actions: int = option(
        -1, "How many actions of each kind an alarm may have; -1 for no limit.", minimum=-1
    )


class LiveAlarms(Protocol):
    """What the feed needs of the alarms in memory (`pipeline.alarms.live.LiveAlarms`)."""

    @property
    def revision(self) -> int:
        """The newest revision that was loaded or applied."""

    @property
    def broken(self) -> Mapping[str, str]:
        """Alarms whose rule cannot be used, with the reason."""

    def load(self, revision: int, alarms: Iterable[Alarm]) -> None:
        """Start from these."""

    def apply(self, revision: int, changed: Sequence[Alarm], deleted: Sequence[str]) -> None:
        """Take these over before the next batch."""


class LiveRouting(Protocol):
    """What the feed needs of the routing in memory (`pipeline.dispatch.live.LiveRouting`)."""

    @property
    def revision(self) -> int:
        """The revision that is in force."""

    @property
    def broken(self) -> Mapping[str, str]:
        """Entries that cannot be used, with the reason."""

    def load(self, revision: int, entries: Sequence[Entry], unreadable: Mapping[str, str]) -> None:
        """Go by these from now on."""


class Feed(ABC):
    """Loads all of something once, then follows the changes until it is stopped."""

    name: str
    what: str
    """The word for it in the log."""

    def __init__(self, *, refresh_seconds: float, log: Any) -> None:
        self._refresh_seconds, self._log = refresh_seconds, log
        self._stopping = threading.Event()
        self.pulse = Pulse(refresh_seconds)

    def load(self) -> None:
        """Read everything; waits for a store that is away. Raises `Stopped`."""
        wait = self._refresh_seconds
        while True:
            try:
                self._load()
                return
            except StoreUnavailable as error:
                event = f"{self.what}.not_loaded"
                self._log.warning(event, error=str(error), next_try_seconds=wait)
            if self._stopping.wait(wait):
                raise Stopped(f"stopped before the {self.what} were loaded")
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    def run(self) -> None:
        """Follow the store's changes until `stop`."""
        away = False
        while not self._stopping.wait(self._refresh_seconds):
            self.pulse.beat()
            try:
                self.refresh()
            except StoreUnavailable as error:
                if not away:
                    self._log.warning(f"{self.what}.not_refreshed", error=str(error))
                away = True
            else:
                if away:
                    self._log.info(f"{self.what}.refreshed_again")
                away = False

    @abstractmethod
    def refresh(self) -> None:
        """Take over what changed since the last look."""

    def stop(self) -> None:
        """Return from `run`."""
        self._stopping.set()

    @abstractmethod
    def _load(self) -> None:
        """Read everything."""


class AlarmFeed(Feed):
    """Keeps a worker's alarms true to the store."""

    name, what = "alarm-feed", "alarms"

    def __init__(
        self, source: AlarmSource, alarms: LiveAlarms, *, refresh_seconds: float, log: Any
    ) -> None:
        super().__init__(refresh_seconds=refresh_seconds, log=log)
        self._source, self._alarms = source, alarms
        self._reported: set[str] = set()

    def refresh(self) -> None:
        """Queue what changed since the last look; read all anew if the store was put back."""
        known = self._alarms.revision
        changes = self._source.changes_since(known)
        if changes.revision < known:
            self._log.warning("alarms.put_back", known=known, revision=changes.revision)
            self._load()
        elif changes.revision > known:
            self._alarms.apply(changes.revision, changes.changed, changes.deleted)
            self._log.info("alarms.changed", revision=changes.revision)
            self._report_broken()

    def _load(self) -> None:
        revision, alarms = self._source.all_enabled()
        self._alarms.load(revision, alarms)
        self._log.info("alarms.loaded", revision=revision)
        self._report_broken()

    def _report_broken(self) -> None:
        for alarm_id, reason in self._alarms.broken.items():
            if alarm_id not in self._reported:
                self._reported.add(alarm_id)
                self._log.error("alarm.broken", alarm_id=alarm_id, reason=reason)


class RoutingFeed(Feed):
    """Keeps a process's targets, groups, filters and matchers true to the store.

    `with_secrets` is for who delivers. What cannot be used is told once, and the others go on.
    """

    name, what = "routing-feed", "routing"

    def __init__(
        self,
        source: RoutingSource,
        routing: LiveRouting,
        *,
        with_secrets: bool,
        refresh_seconds: float,
        log: Any,
    ) -> None:
        super().__init__(refresh_seconds=refresh_seconds, log=log)
        self._source, self._routing, self._with_secrets = source, routing, with_secrets
        self._reported: set[tuple[str, str]] = set()

    def refresh(self) -> None:
        """Take over all entries if any of them changed since the last look."""
        known = self._routing.revision
        found = self._source.routing_after(known, with_secrets=self._with_secrets)
        if found is None:
            return
        self._routing.load(found.revision, found.entries, found.unreadable)
        event = "routing.loaded" if known < 0 else "routing.changed"
        self._log.info(event, revision=found.revision, entries=len(found.entries))
        for name, reason in self._routing.broken.items():
            if (name, reason) not in self._reported:
                self._reported.add((name, reason))
                self._log.error("routing.broken", name=name, reason=reason)

    def _load(self) -> None:
        self.refresh()
