"""Pruner: the loop that removes what is too old, while everything else works.

Every listener and notifier runs one; a row in the store says whose turn it is, so that one of all
processes has the round, and another takes over if it dies. A round removes what the settings say
in small portions, and rests after each for as long as it took. `tocsin expire` runs the same
round by itself, at once.

A firing that is forgotten may fire again if its event comes again, so firings are kept for at
least a day, and should be for longer than a message can wait in a queue (events-in 3).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.errors import StoreUnavailable
from pipeline.options import option
from pipeline.store.retention import Kept, Retention

_PORTION = 500
_LEASE = timedelta(minutes=5)
_SHORTEST_REST_SECONDS = 0.05
_LONGEST_LOOK_SECONDS = 60.0
_MOST_DAYS = 3_650_000
_DELETED_ALARMS_AGE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """The settings `retention.*`."""

    enabled: bool = option(
        True,
        "Listeners and notifiers remove what is too old while they run, one of them at a time. "
        "false: only `tocsin expire` does.",
    )
    every_minutes: float = option(10.0, "How often to look for what is too old.", minimum=0.01)
    history_days: float | None = option(
        90.0,
        "How long the history of alarms and of all other changes is kept, and API tokens that "
        "have ended; null for ever.",
        minimum=0,
    )
    firings_days: float | None = option(
        30.0,
        "How long it is known that an event fired an alarm; null for ever. An event that comes "
        "again later fires it again, so make it longer than a message may wait in a queue.",
        minimum=1,
    )
    deliveries_days: float | None = option(
        30.0,
        "How long deliveries that were made are kept, with their attempts and notifications; "
        "null for ever. Pending ones always are.",
        minimum=0,
    )
    dead_letters_days: float | None = option(
        None, "How long dead letters are kept; null for ever.", minimum=0
    )
    rejected_days: float | None = option(
        90.0, "How long rejected events are kept; null for ever.", minimum=0
    )
    events_days: float | None = option(
        30.0, "How long the archive (store://) keeps an event; null for ever.", minimum=0
    )
    events_max: int | None = option(
        10_000_000,
        "How many events the archive keeps; the first that came go first. null for any number.",
        minimum=0,
    )
    events_max_bytes: int | None = option(
        None,
        "How many bytes of events the archive keeps, as JSON without indexes; in the database "
        "they take about four times as much. null for any number.",
        minimum=0,
    )

    def ages(self) -> Mapping[Kept, timedelta]:
        """How old each may become; what is kept for ever is absent."""
        days = {
            Kept.DELIVERIES: self.deliveries_days,
            Kept.DEAD_LETTERS: self.dead_letters_days,
            Kept.FIRINGS: self.firings_days,
            Kept.HISTORY: self.history_days,
            Kept.CHANGES: self.history_days,
            Kept.TOKENS: self.history_days,
            Kept.REJECTED: self.rejected_days,
            Kept.EVENTS: self.events_days,
        }
        ages = {
            kept: timedelta(days=min(most, _MOST_DAYS))
            for kept, most in days.items()
            if most is not None
        }
        return {**ages, Kept.DELETED_ALARMS: _DELETED_ALARMS_AGE}


class Pruner:
    """Removes what is too old until it is stopped."""

    name = "pruner"

    def __init__(
        self,
        store: Retention,
        settings: RetentionSettings,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        log: Any,
    ) -> None:
        self._store, self._settings, self._clock, self._log = store, settings, clock, log
        self._holder = new_id()
        self._interval = timedelta(minutes=settings.every_minutes)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Have the round whenever it is due and nobody else has it; wait for an absent store."""
        look_seconds = min(self._interval.total_seconds() / 2, _LONGEST_LOOK_SECONDS)
        away = False
        while not self._stopping.is_set():
            try:
                self.run_once()
                away = False
            except StoreUnavailable as error:
                if not away:
                    self._log.warning("retention.store_unavailable", error=str(error))
                away = True
            except Exception:  # noqa: BLE001 - what delivers must not end for what tidies up
                self._log.exception("retention.failed")
            self._stopping.wait(look_seconds)

    def stop(self) -> None:
        """Finish the portion in hand and return from `run`."""
        self._stopping.set()

    def run_once(self) -> bool:
        """A round, if one is due. False when none is, or another has it."""
        now = self._clock()
        if not self._store.claim_pruning(self._holder, now, now + _LEASE):
            return False
        removed = Counter[str]()
        held_until = now + _LEASE
        for kept, count in self._resting(self.removing(tuple(Kept))):
            removed[kept] += count
            now = self._clock()
            if self._stopping.is_set():
                break
            if now > held_until - _LEASE / 2:
                held_until = now + _LEASE
                if not self._store.hold_pruning(self._holder, held_until):
                    break
        # Stopped in the middle, it is for the next process to go on.
        next_round = now if self._stopping.is_set() else self._clock() + self._interval
        self._store.hold_pruning(self._holder, next_round)
        if removed:
            self._log.info("retention.removed", **removed)
        return True

    def removing(self, wanted: Collection[Kept]) -> Iterator[tuple[Kept, int]]:
        """Remove what is too old of these; after each portion, what it was and how many."""
        now = self._clock()
        for kept, age in self._settings.ages().items():
            if kept in wanted:
                for count in self._store.prune(kept, _before(now, age), _PORTION):
                    yield kept, count
        if Kept.EVENTS in wanted:
            for count in self._store.prune_oldest_events(*self._excess(), _PORTION):
                yield Kept.EVENTS, count

    def removable(self, wanted: Collection[Kept]) -> Mapping[Kept, int]:
        """How many of each `removing` would remove; nothing is changed."""
        now = self._clock()
        ages = self._settings.ages()
        counts = {
            kept: self._store.prunable(kept, _before(now, ages[kept])) if kept in ages else 0
            for kept in Kept
            if kept in wanted
        }
        if Kept.EVENTS in wanted:
            # The first that came are both: what is too old counts towards what is too many.
            events, size = self._excess()
            first = self._store.first_events(size)
            counts[Kept.EVENTS] = max(counts[Kept.EVENTS], events, first)
        return counts

    def _excess(self) -> tuple[int, int]:
        return self._store.excess_events(
            self._settings.events_max, self._settings.events_max_bytes
        )

    def _resting(self, portions: Iterator[tuple[Kept, int]]) -> Iterator[tuple[Kept, int]]:
        """After each portion a rest as long as its work: at most half of one connection's time."""
        while True:
            began = time.monotonic()
            portion = next(portions, None)
            if portion is None:
                return
            yield portion
            took = time.monotonic() - began
            self._stopping.wait(max(took, _SHORTEST_REST_SECONDS))


def _before(now: datetime, age: timedelta) -> datetime:
    """The moment that was so long ago; the first there is, for an age beyond all time."""
    try:
        return now - age
    except OverflowError:
        return datetime.min.replace(tzinfo=now.tzinfo)
