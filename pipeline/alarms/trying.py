"""Trying alarms out: on which of many events they would have fired, and what kept them silent.

Events are looked at one by one, each as if it came when it was generated, and none is kept but
the newest matches and an example or two of what failed: the memory does not grow with them. The
index says which alarms an event meets and `evaluator.decide` what becomes of them, so many alarms
cost little more than one. A composite alarm matches the events that meet one of its conditions,
and fires when its rule says so.

Pure. Called by `pipeline.desk`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.alarms.alarm import Alarm, Condition, EventRule, State
from pipeline.alarms.composites import Referred
from pipeline.alarms.conditions import OPERATORS, clause, constant, glob, reader
from pipeline.alarms.evaluator import concerns, decide
from pipeline.alarms.explaining import About, condition_text, explain, named
from pipeline.alarms.index import AlarmIndex
from pipeline.alarms.schedule import within
from pipeline.alarms.trying_composites import TriedComposites
from pipeline.event import Event
from pipeline.registry import did_you_mean
from pipeline.times import plain

_NONE: Mapping[str, Referred] = MappingProxyType({})

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
    one may have been meant; `referred` are alarms that are not tried and that composite ones refer
    to, by id. Raises `InvalidValue` for an alarm that cannot be used.
    """

    def __init__(
        self,
        alarms: Sequence[Alarm],
        newest: int,
        types: Iterable[str] = (),
        referred: Mapping[str, Referred] = _NONE,
    ) -> None:
        self.events = 0
        self._index, self._types = AlarmIndex(), AlarmIndex()
        share = max(_SMALLEST_SHARE, _LOOKED_INTO // max(1, len(alarms)))
        self._tried = [_Tried(alarm, newest, share) for alarm in alarms]
        self._by_id = {tried.alarm.alarm_id: tried for tried in self._tried}
        self._of_type: dict[str, _OfType] = {}
        self._seen = set(types)
        for number, tried in enumerate(self._tried):
            self._add(number, tried)
        known = {each.alarm_id: Referred(each.name, each.state) for each in alarms}
        composites = [each for each in alarms if not isinstance(each.rule, EventRule)]
        self._composites = TriedComposites(composites, {**referred, **known})

    @property
    def types(self) -> Collection[str]:
        """The event types, or globs, that the alarms are about."""
        return self._of_type.keys()

    def look(self, event: Event) -> None:
        """Let the alarms see the event."""
        self.events += 1
        if len(self._seen) < _TYPES_KEPT:
            self._seen.add(event.event_type)
        places = {int(key.partition("/")[0]) for key in self._index.matches(event)}
        self._let_fire(event, [self._tried[place] for place in sorted(places)])
        groups = [self._of_type[event_type] for event_type in self._types.matches(event)]
        for group in groups:
            group.look(event)
        # One of several conditions is in the groups of several types.
        for tried in {id(each): each for group in groups for each in group.composites}.values():
            tried.of_type += 1
            tried.look_into(event)

    def results(self) -> list[Result]:
        """What came of each, in the order of the alarms."""
        return [self._result(tried) for tried in self._tried]

    def _add(self, number: int, tried: _Tried) -> None:
        alarm = tried.alarm
        project = None if alarm.all_projects else alarm.project_id
        for leaf, rule in enumerate(tried.rules):
            self._index.put(f"{number}/{leaf}", project, rule)
        for event_type in dict.fromkeys(rule.event_type for rule in tried.rules):
            self._types.put(event_type, None, EventRule(event_type))
            group = self._of_type.setdefault(event_type, _OfType())
            (group.composites if tried.is_composite else group.alarms).append(tried)

    def _let_fire(self, event: Event, matching: Sequence[_Tried]) -> None:
        """Let those fire whose conditions the event meets, and what refers to them."""
        met = [tried for tried in matching if tried.is_composite and tried.is_in_force(event)]
        fired = {
            tried.alarm.alarm_id: State.ALARM
            for tried in matching
            if not tried.is_composite and tried.meets(event)
        }
        fires = self._composites.look(event, [tried.alarm.alarm_id for tried in met], fired)
        for tried in met:
            tried.count(event, fires=tried.alarm.alarm_id in fires)
        for alarm_id in fires.difference(tried.alarm.alarm_id for tried in met):
            self._by_id[alarm_id].count(event, fires=True)

    def _result(self, tried: _Tried) -> Result:
        if not tried.is_composite:
            tried.of_type = self._of_type[tried.rules[0].event_type].events
        return Result(
            tried.alarm,
            tried.of_type,
            tried.matches,
            tried.firings,
            tried.first,
            tried.last,
            tuple(sorted(tried.newest, reverse=True)),
            tuple(tried.failing()),
            "" if tried.matches else self._silent(tried),
        )

    def _silent(self, tried: _Tried) -> str:
        if not tried.of_type:
            patterns = dict.fromkeys(rule.event_type for rule in tried.rules)
            hints = [did_you_mean(pattern, self._seen) for pattern in patterns]
            wanted = " or ".join(patterns) or "any"
            return f"There was no event of type {wanted}.{''.join(hints)}"
        failing = list(tried.failing())
        most = [each for each in failing if each.failed == failing[0].failed]
        return "\n".join(f"{each}. {each.why}".rstrip() for each in most)


class _OfType:
    """The alarms for one event type or glob, and how many events there were of it."""

    def __init__(self) -> None:
        self.events = 0
        self.alarms: list[_Tried] = []
        self.composites: list[_Tried] = []

    def look(self, event: Event) -> None:
        self.events += 1
        # Those that match anything at all need no reason for silence.
        self.alarms = [tried for tried in self.alarms if tried.looks_into]
        for tried in self.alarms:
            tried.look_into(event)


class _Tried:
    """One alarm: as it becomes, and what was counted of it.

    What failed is counted by check: the conditions of an event alarm, the leaves of a composite
    one that are about events, and what is asked of the alarm itself.
    """

    def __init__(self, alarm: Alarm, keep: int, share: int) -> None:
        self.alarm = self._present = alarm
        self._fresh = replace(alarm, state=State.INSUFFICIENT_DATA)
        self.of_type = self.matches = self.firings = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.newest: list[Match] = []
        self._keep, self._share = keep, share
        self._numbers = count()
        self._looked_into = 0
        self._failed: Counter[int] = Counter()
        self._examples: dict[int, Event] = {}
        rule = alarm.rule
        self.is_composite = not isinstance(rule, EventRule)
        self.rules = (rule,) if isinstance(rule, EventRule) else rule.event_rules
        if isinstance(rule, EventRule):
            self._probes = [_probe(condition) for condition in rule.query]
        else:
            self._probes = [_rule_probe(each) for each in rule.event_rules]

    @property
    def looks_into(self) -> bool:
        """Whether it is still of interest what fails."""
        return not self.matches and self._looked_into < self._share

    def is_in_force(self, event: Event) -> bool:
        """Whether the alarm is enabled, and in one of its windows when the event comes."""
        return self.alarm.enabled and within(self.alarm.time_constraints, event.generated)

    def meets(self, event: Event) -> bool:
        """The event is of the alarm's project and meets its rule, an event rule; whether it
        fires."""
        if decide(self._fresh, event, event.generated) is None:
            return False
        transition = decide(self._present, event, event.generated)
        if transition is not None:
            self._present = replace(self._present, state=transition.current)
        self.count(event, fires=transition is not None)
        return transition is not None

    def count(self, event: Event, *, fires: bool) -> None:
        """Count a match."""
        at = event.generated
        self.matches += 1
        self.firings += fires
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)
        match = Match(at, next(self._numbers), event.message_id, event.event_type, fires)
        if len(self.newest) < self._keep:
            heapq.heappush(self.newest, match)
        elif self._keep:
            heapq.heappushpop(self.newest, match)

    def look_into(self, event: Event) -> None:
        """Count what fails on an event of the alarm's type, while nothing matches."""
        if not self.looks_into:
            return
        self._looked_into += 1
        for number in self._failing_on(event):
            self._failed[number] += 1
            example = self._examples.get(number)
            # The one with most traits: there what was meant is most likely found.
            if example is None or len(event.values) > len(example.values):
                self._examples[number] = event

    def _failing_on(self, event: Event) -> Sequence[int]:
        failed = [number for number, probe in enumerate(self._probes) if not probe(event)]
        if self.is_composite and len(failed) < len(self._probes):
            failed = []  # one that is met is enough for a match
        if not concerns(self.alarm, event):
            failed.append(_PROJECT)
        if not self.alarm.enabled:
            failed.append(_ENABLED)
        # What meets all the rest is not in one of its windows.
        return failed or [_TIME]

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
        if number < 0:
            about = _ABOUT[number]
            return str(about), next(c.why for c in explanation.own if c.about is about)
        leaves = [leaf for leaf in explanation.leaves if leaf.checks]
        if isinstance(self.alarm.rule, EventRule):
            condition = self.alarm.rule.query[number]
            why = next(c.why for c in leaves[0].checks if c.condition == condition)
            return condition_text(condition), why
        check = next(check for check in leaves[number].checks if not check.holds)
        return check.rule, f"{named(check)}: {check.why}"


_PROJECT, _ENABLED, _TIME = -3, -2, -1
_ABOUT = {_PROJECT: About.PROJECT, _ENABLED: About.ENABLED, _TIME: About.TIME}


def _rule_probe(rule: EventRule) -> Callable[[Event], bool]:
    """`conditions.hits` of this rule, made once for many events."""
    fits, probes = glob(rule.event_type), [_probe(condition) for condition in rule.query]
    return lambda event: bool(fits(event.event_type)) and all(probe(event) for probe in probes)


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
