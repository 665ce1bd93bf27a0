"""LiveAlarms: the alarms in force in this process, matched by its listeners' threads.

Holds the index, and knows which alarms are *quiet*: in state alarm without `repeat_actions`, so
that no event does anything to them until a person sets their state back. Quiet alarms are no
candidates; that spares the store a look at them for every event.

An alarm must never be taken for quiet wrongly: its firings would be lost for good. The other way
round costs only a look: `evaluator.decide` has the last word. Hence `settled` counts only if no
newer change of the alarm is known.

A composite alarm (`pipeline.alarms.composites`) is in the index once for each of its event
conditions, under a key that no alarm has as its id, and is quiet condition by condition.

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
from pipeline.alarms.alarm import Alarm, EventRule, Rule
from pipeline.alarms.composition import quiet_conditions
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
        # Of composite alarms: their conditions, and by the keys of these whose they are.
        self._conditions: dict[str, tuple[EventRule, ...]] = {}
        self._composite_of: dict[str, str] = {}
        # The revisions of alarms that were put after the first load.
        self._changed_at: dict[str, int] = {}
        self._queue: deque[_Change] = deque()
        self._broken: dict[str, str] = {}
        self._revision = 0

    def __len__(self) -> int:
        """How many alarms are matched against."""
        with self._lock:
            self._apply_queue()
            return len(self._index) - len(self._composite_of) + len(self._conditions)

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
            self._conditions, self._composite_of = fresh._conditions, fresh._composite_of
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
            if self._composite_of and found:
                return self._by_alarm(found)
        return found

    def settled(self, alarm: Alarm) -> None:
        """The alarm is so, as of its revision: what of it no event changes any more is quiet.

        Call it only after the commit that says so, or on finding it so in the store.
        """
        quiet = tuple(_quiet_keys(alarm))
        if not quiet:
            return
        with self._lock:
            outdated = self._changed_at.get(alarm.alarm_id, 0) > alarm.revision
            if not outdated and self._conditions.get(alarm.alarm_id, ()) == _conditions(alarm):
                self._quiet.update(key for key in quiet if key in self._index)

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
                self._remove(alarm_id)
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
        rule = alarm.rule
        if not isinstance(rule, EventRule) or alarm.alarm_id in self._conditions:
            self._remove(alarm.alarm_id)
        if isinstance(rule, EventRule):
            self._index.put(alarm.alarm_id, project, rule)
            if is_quiet(alarm):
                self._quiet.add(alarm.alarm_id)
            else:
                self._quiet.discard(alarm.alarm_id)
            return
        for condition in rule.event_rules:
            conditions.check(condition)
        self._conditions[alarm.alarm_id] = rule.event_rules
        for number, condition in enumerate(rule.event_rules):
            key = _key(alarm.alarm_id, number)
            self._index.put(key, project, condition)
            self._composite_of[key] = alarm.alarm_id
        self._quiet.update(_quiet_keys(alarm))

    def _remove(self, alarm_id: str) -> None:
        numbers = range(len(self._conditions.pop(alarm_id, ())))
        for key in (alarm_id, *(_key(alarm_id, number) for number in numbers)):
            self._index.remove(key)
            self._quiet.discard(key)
            self._composite_of.pop(key, None)

    def _by_alarm(self, found: Iterable[tuple[str, Event]]) -> list[tuple[str, Event]]:
        """What was found, composite alarms in place of their conditions and each once."""
        of = self._composite_of
        pairs = ((of.get(key, key), event) for key, event in found)
        return list(
            {(alarm_id, id(event)): (alarm_id, event) for alarm_id, event in pairs}.values()
        )


def _key(alarm_id: str, number: int) -> str:
    """What a condition of a composite alarm is known by; ids have no NUL."""
    return f"{alarm_id}\0{number}"


def _quiet_keys(alarm: Alarm) -> Iterable[str]:
    """What of the alarm is quiet, by what it is known by in the index."""
    if isinstance(alarm.rule, EventRule):
        return (alarm.alarm_id,) if is_quiet(alarm) else ()
    return (_key(alarm.alarm_id, number) for number in quiet_conditions(alarm))


def _problem(alarm: Alarm) -> str:
    """Why the alarm cannot be used, `''` if it can."""
    try:
        for rule in _event_rules(alarm.rule):
            conditions.check(rule)
        for constraint in alarm.time_constraints:
            schedule.check(constraint)
    except InvalidValue as error:
        return str(error)
    return ""


def _conditions(alarm: Alarm) -> tuple[EventRule, ...]:
    """The conditions of a composite alarm; of another none."""
    return () if isinstance(alarm.rule, EventRule) else alarm.rule.event_rules


def _event_rules(rule: Rule) -> Iterable[EventRule]:
    return (rule,) if isinstance(rule, EventRule) else rule.event_rules


@contextmanager
def _collector_off() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
