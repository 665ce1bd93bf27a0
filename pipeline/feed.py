"""AlarmFeed: keeps a worker's alarms true to the store.

A loop of its own, because reading the store may take long and a listener's thread must not wait.
What changed is only queued here; the alarms take it over between two batches. A revision counter
is polled on every database: one mechanism, in force well within the second that alarms 13 allows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.alarms.alarm import Alarm
from pipeline.errors import StoreUnavailable
from pipeline.listeners.base import Stopped
from pipeline.observer import Pulse
from pipeline.options import option
from pipeline.store.base import AlarmSource

_LONGEST_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class AlarmsSettings:
    """The settings `alarms.*`."""

    refresh_seconds: float = option(
        0.5,
        "How often a listener asks the store which alarms were changed; a change is in force at "
        "most that much later.",
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


class AlarmFeed:
    """Loads all alarms once, then follows the changes until it is stopped."""

    name = "alarm-feed"

    def __init__(
        self, source: AlarmSource, alarms: LiveAlarms, *, refresh_seconds: float, log: Any
    ) -> None:
        self._source, self._alarms = source, alarms
        self._refresh_seconds, self._log = refresh_seconds, log
        self._stopping = threading.Event()
        self.pulse = Pulse(refresh_seconds)
        self._reported: set[str] = set()

    def load(self) -> None:
        """Read every enabled alarm; waits for a store that is away. Raises `Stopped`."""
        wait = self._refresh_seconds
        while True:
            try:
                self._load()
                return
            except StoreUnavailable as error:
                self._log.warning("alarms.not_loaded", error=str(error), next_try_seconds=wait)
            if self._stopping.wait(wait):
                raise Stopped("stopped before the alarms were loaded")
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
                    self._log.warning("alarms.not_refreshed", error=str(error))
                away = True
            else:
                if away:
                    self._log.info("alarms.refreshed_again")
                away = False

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

    def stop(self) -> None:
        """Return from `run`."""
        self._stopping.set()

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
