"""LiveAlarms: the alarms in force in this process, matched by its listeners' threads.

Holds the index, and knows which alarms are *quiet*: in state alarm without `repeat_actions`, so
that no event does anything to them until a person sets their state back. Quiet alarms are no
candidates; that spares the store a look at them for every event.

An alarm must never be taken for quiet wrongly: its firings would be lost for good. The other way
round costs only a look: `evaluator.decide` has the last word. Hence `settled` counts only if no
newer change of the alarm is known.

Memory only: no I/O, no clock. `pipeline.feed` brings alarms and changes, from a thread of its
own; `pipeline.worker` asks for candidates and tells what settled, from the listeners' threads.
"""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from pipeline.alarms import conditions, schedule
from pipeline.alarms.alarm import Alarm
from pipeline.alarms.evaluator import is_quiet
from pipeline.alarms.index import AlarmIndex
from pipeline.errors import InvalidValue
from pipeline.event import Event

_Change: TypeAlias = tuple[Sequence[Alarm], Sequence[str]]
"""Alarms to put, and ids to remove."""


class LiveAlarms:
    """The alarms in force. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._index = AlarmIndex()
        self._quiet: set[str] = set()
        # The revisions of alarms that were put after the first load.
        self._changed_at: dict[str, int] = {}
        self._queue: deque[_Change] = deque()
        self._broken: dict[str, str] = {}
        self._revision = 0

    def __len__(self) -> int:
        """How many alarms are matched against."""
        with self._lock:
            self._apply_queue()
            return len(self._index)

    @property
    def revision(self) -> int:
        """The newest revision that was loaded or is queued."""
        return self._revision

    @property
    def broken(self) -> Mapping[str, str]:
        """The alarms that cannot be used, with the reason. They are not matched."""
        with self._lock:
            return dict(self._broken)

    def load(self, revision: int, alarms: Iterable[Alarm]) -> None:
        """Start from these alarms, as they stood at `revision`, and forget all others.

        Keeps the garbage collector away meanwhile, and what was loaded away from it for good: a
        million alarms are then no work for it.
        """
        fresh = LiveAlarms()
        reloading = self._revision > 0
        with _collector_off():
            for alarm in alarms:
                if alarm.enabled:
                    fresh._load(alarm)
                # What settles now may be older than this; at the start nothing can have settled.
                if reloading:
                    fresh._changed_at[alarm.alarm_id] = alarm.revision
        with self._lock:
            self._index, self._quiet = fresh._index, fresh._quiet
            self._changed_at, self._broken = fresh._changed_at, fresh._broken
            self._queue.clear()
            self._revision = revision
        gc.collect()
        gc.freeze()

    def apply(self, revision: int, changed: Sequence[Alarm], deleted: Sequence[str]) -> None:
        """Queue what changed up to `revision`; it is in force from the next `candidates` on."""
        problems = {alarm.alarm_id: _problem(alarm) for alarm in changed}
        usable = [a for a in changed if a.enabled and not problems[a.alarm_id]]
        kept = {alarm.alarm_id for alarm in usable}
        gone = [*deleted, *(alarm_id for alarm_id in problems if alarm_id not in kept)]
        with self._lock:
            for alarm_id in (*deleted, *problems):
                self._broken.pop(alarm_id, None)
            self._broken.update({k: problem for k, problem in problems.items() if problem})
            self._queue.append((usable, gone))
            self._revision = max(self._revision, revision)

    def candidates(self, events: Sequence[Event]) -> list[tuple[str, Event]]:
        """The (alarm_id, event) pairs that may fire, in the order of the events.

        All alarms that an event fires are among them; `evaluator.decide` says which do.
        """
        found: list[tuple[str, Event]] = []
        with self._lock:
            self._apply_queue()
            matches, quiet = self._index.matches, self._quiet
            for event in events:
                for alarm_id in matches(event):
                    if alarm_id not in quiet:
                        found.append((alarm_id, event))
        return found

    def settled(self, alarm_id: str, revision: int) -> None:
        """The alarm, as of its `revision`, is in state alarm and does not repeat: it is quiet.

        Call it only after the commit that says so, or on finding it so in the store.
        """
        with self._lock:
            outdated = self._changed_at.get(alarm_id, 0) > revision
            if alarm_id in self._index and not outdated:
                self._quiet.add(alarm_id)

    def costly(self, limit: int = 10) -> list[tuple[str | None, str, int]]:
        """What can cost most to match: (project or None for all, event type, alarms scanned).

        Looks at every alarm, and holds up matching meanwhile.
        """
        with self._lock:
            self._apply_queue()
            return self._index.costly(limit)

    def _apply_queue(self) -> None:
        while self._queue:
            usable, gone = self._queue.popleft()
            for alarm_id in gone:
                self._index.remove(alarm_id)
                self._quiet.discard(alarm_id)
                self._changed_at.pop(alarm_id, None)
            for alarm in usable:
                self._put(alarm)
                self._changed_at[alarm.alarm_id] = alarm.revision

    def _load(self, alarm: Alarm) -> None:
        try:
            for constraint in alarm.time_constraints:
                schedule.check(constraint)
            self._put(alarm)
        except InvalidValue as error:
            self._broken[alarm.alarm_id] = str(error)

    def _put(self, alarm: Alarm) -> None:
        project = None if alarm.all_projects else alarm.project_id
        self._index.put(alarm.alarm_id, project, alarm.rule)
        if is_quiet(alarm):
            self._quiet.add(alarm.alarm_id)
        else:
            self._quiet.discard(alarm.alarm_id)


def _problem(alarm: Alarm) -> str:
    """Why the alarm cannot be used, `''` if it can."""
    try:
        conditions.check(alarm.rule)
        for constraint in alarm.time_constraints:
            schedule.check(constraint)
    except InvalidValue as error:
        return str(error)
    return ""


@contextmanager
def _collector_off() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
