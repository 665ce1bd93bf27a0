"""Trying alarms out: on which of many events they would have fired, and what kept them silent.

Events are looked at one by one, each as if it came when it was generated, and none is kept but
the newest matches and an example or two of what failed: the memory does not grow with them. The
index says which alarms an event meets and `evaluator.decide` what becomes of them, so many alarms
cost little more than one.

Pure. Called by `pipeline.desk`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

from pipeline.alarms.alarm import Alarm, Condition, EventRule, State
from pipeline.alarms.conditions import OPERATORS, clause, constant, reader
from pipeline.alarms.evaluator import concerns, decide
from pipeline.alarms.explaining import About, condition_text, explain
from pipeline.alarms.index import AlarmIndex
from pipeline.event import Event
from pipeline.registry import did_you_mean
from pipeline.times import plain

_LOOKED_INTO = 2_000_000
"""For how many pairs of alarm and event it is found out what failed; with many alarms each has
its share."""
_SMALLEST_SHARE = 100
_TYPES_KEPT = 10_000


class Match(NamedTuple):
    """An event that an alarm matches; `fires`: it also fires on it, being not silent."""

    generated: datetime
    number: int
    message_id: str
    event_type: str
    fires: bool


class Failing(NamedTuple):
    """What kept an alarm silent: on how many of so many events of its type; `why` on one."""

    check: str
    failed: int
    of: int
    why: str

    def __str__(self) -> str:
        return f"{self.check} failed on {self.failed:,} of {self.of:,} events of this type"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an alarm.

    `of_type` are the events of its type, of whatever project. `matches` meet all that it asks
    for; it fires on those on which it is not silent (alarms 11). `newest` are the last generated
    ones, the newest first. `failing` is, where nothing matches, what failed most, that first;
    `silent` says the same in words.
    """

    alarm: Alarm
    of_type: int
    matches: int
    firings: int
    first: datetime | None
    last: datetime | None
    newest: tuple[Match, ...]
    failing: tuple[Failing, ...]
    silent: str


class Trial:
    """Alarms while event after event is looked at.

    `newest` is how many matches of each are kept; `types` are event types that there are, of which
    one may have been meant. Raises `InvalidValue` for an alarm that cannot be used.
    """

    def __init__(self, alarms: Sequence[Alarm], newest: int, types: Iterable[str] = ()) -> None:
        self.events = 0
        self._index, self._types = AlarmIndex(), AlarmIndex()
        share = max(_SMALLEST_SHARE, _LOOKED_INTO // max(1, len(alarms)))
        self._tried = [_Tried(alarm, newest, share) for alarm in alarms]
        self._of_type: dict[str, _OfType] = {}
        self._seen = set(types)
        for number, tried in enumerate(self._tried):
            alarm = tried.alarm
            project = None if alarm.all_projects else alarm.project_id
            self._index.put(str(number), project, alarm.rule)
            self._group(alarm.rule.event_type).alarms.append(tried)

    def look(self, event: Event) -> None:
        """Let the alarms see the event."""
        self.events += 1
        if len(self._seen) < _TYPES_KEPT:
            self._seen.add(event.event_type)
        matching = [self._tried[int(number)] for number in self._index.matches(event)]
        for tried in matching:
            tried.meets(event)
        for event_type in self._types.matches(event):
            self._of_type[event_type].look(event)

    def results(self) -> list[Result]:
        """What came of each, in the order of the alarms."""
        return [self._result(tried) for tried in self._tried]

    def _group(self, event_type: str) -> _OfType:
        """The alarms for the events of one type, or of a glob."""
        if event_type not in self._of_type:
            self._types.put(event_type, None, EventRule(event_type))
            self._of_type[event_type] = _OfType()
        return self._of_type[event_type]

    def _result(self, tried: _Tried) -> Result:
        of_type = self._of_type[tried.alarm.rule.event_type].events
        failing = tuple(tried.failing())
        newest = tuple(sorted(tried.newest, reverse=True))
        silent = "" if tried.matches else self._silent(tried.alarm, of_type, failing)
        return Result(
            tried.alarm,
            of_type,
            tried.matches,
            tried.firings,
            tried.first,
            tried.last,
            newest,
            failing,
            silent,
        )

    def _silent(self, alarm: Alarm, of_type: int, failing: Sequence[Failing]) -> str:
        if not of_type:
            pattern = alarm.rule.event_type
            return f"There was no event of type {pattern}.{did_you_mean(pattern, self._seen)}"
        most = [each for each in failing if each.failed == failing[0].failed]
        return "\n".join(f"{each}. {each.why}".rstrip() for each in most)


class _OfType:
    """The alarms for one event type or glob, and how many events there were for them."""

    def __init__(self) -> None:
        self.events = 0
        self.alarms: list[_Tried] = []

    def look(self, event: Event) -> None:
        self.events += 1
        # Those that match anything at all need no reason for silence.
        self.alarms = [tried for tried in self.alarms if tried.looks_into]
        for tried in self.alarms:
            tried.look_into(event)


class _Tried:
    """One alarm: as it becomes, and what was counted of it."""

    def __init__(self, alarm: Alarm, keep: int, share: int) -> None:
        self.alarm = self._present = alarm
        self._fresh = replace(alarm, state=State.INSUFFICIENT_DATA)
        self.matches = self.firings = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.newest: list[Match] = []
        self._keep, self._share = keep, share
        self._numbers = count()
        self._probes = [_probe(condition) for condition in alarm.rule.query]
        self._looked_into = 0
        self._failed: Counter[int] = Counter()
        self._examples: dict[int, Event] = {}

    @property
    def looks_into(self) -> bool:
        """Whether it is still of interest what fails."""
        return not self.matches and self._looked_into < self._share

    def meets(self, event: Event) -> None:
        """The event is of the alarm's project and meets its rule."""
        if decide(self._fresh, event, event.generated) is None:
            return
        transition = decide(self._present, event, event.generated)
        if transition is not None:
            self.firings += 1
            self._present = replace(self._present, state=transition.current)
        self._count(event, fires=transition is not None)

    def _count(self, event: Event, *, fires: bool) -> None:
        at = event.generated
        self.matches += 1
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)
        match = Match(at, next(self._numbers), event.message_id, event.event_type, fires)
        if len(self.newest) < self._keep:
            heapq.heappush(self.newest, match)
        elif self._keep:
            heapq.heappushpop(self.newest, match)

    def look_into(self, event: Event) -> None:
        """Count what fails on an event of the alarm's type, which it does not match."""
        self._looked_into += 1
        met = [probe(event) for probe in self._probes]
        failed = [number for number, holds in enumerate(met) if not holds]
        if not concerns(self.alarm, event):
            failed.append(_PROJECT)
        if not self.alarm.enabled:
            failed.append(_ENABLED)
        # What meets all the rest is not in one of its windows.
        for number in failed or [_TIME]:
            self._failed[number] += 1
            example = self._examples.get(number)
            # The one with most traits: there what was meant is most likely found.
            if example is None or len(event.values) > len(example.values):
                self._examples[number] = event

    def failing(self) -> Iterator[Failing]:
        """What failed, most first; nothing where there are matches."""
        if self.matches:
            return
        for number, failed in sorted(self._failed.items(), key=lambda item: (-item[1], item[0])):
            name, why = self._told(number)
            yield Failing(name, failed, self._looked_into, why)

    def _told(self, number: int) -> tuple[str, str]:
        """A check's name, and why it fails on the example."""
        event = self._examples[number]
        explanation = explain(self._fresh, event, event.generated)
        if number >= 0:
            condition = self.alarm.rule.query[number]
            checks = explanation.leaf.checks
            why = next(check.why for check in checks if check.condition == condition)
            return condition_text(condition), why
        about = _ABOUT[number]
        return str(about), next(check.why for check in explanation.own if check.about is about)


_PROJECT, _ENABLED, _TIME = -3, -2, -1
_ABOUT = {_PROJECT: About.PROJECT, _ENABLED: About.ENABLED, _TIME: About.TIME}


def _probe(condition: Condition) -> Callable[[Event], bool]:
    """`conditions.holds` of this condition, made once for many events."""
    field, op, kind = clause(condition.field, condition.op, condition.type)
    read, compare = reader(field, kind), OPERATORS[op].compare
    expected = constant(condition.value, condition.type)

    def holds(event: Event) -> bool:
        value = read(event)
        return value is not None and compare(value, expected)

    return holds


def as_dict(result: Result) -> dict[str, Any]:
    """The result as what JSON can say."""
    return {
        "alarm_id": result.alarm.alarm_id,
        "name": result.alarm.name,
        "of_type": result.of_type,
        "matches": result.matches,
        "firings": result.firings,
        "repeat_actions": result.alarm.repeat_actions,
        "first": plain(result.first),
        "last": plain(result.last),
        "newest": [
            {
                "message_id": match.message_id,
                "event_type": match.event_type,
                "generated": plain(match.generated),
                "fires": match.fires,
            }
            for match in result.newest
        ],
        "failing": [each._asdict() for each in result.failing],
        "silent": result.silent,
    }
