"""Explaining: check by check, why an alarm fires on an event, or why not (alarms 5, 9 to 11).

`evaluator.decide` says whether; this says why, in words for people, and never says otherwise: an
event alarm fires if every check holds, a composite one as its leaves and their rule say. An alarm
that cannot be used, which no process matches (`pipeline.alarms.live`), does not fire here either.
Each check asks what decides there: `conditions`, `schedule`, `evaluator`, `composites`. Nothing is
compared here a second time.

Pure: `now` is an argument. Called by `pipeline.desk`, and by `pipeline.alarms.trying`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pipeline.alarms import conditions, schedule
from pipeline.alarms.alarm import (
    Alarm,
    Condition,
    EventRule,
    Reference,
    State,
    TimeConstraint,
    Transition,
)
from pipeline.alarms.composites import Composites, Evaluation, Referred
from pipeline.alarms.composition import form, leaf_states, quiet_conditions, rule_of, value
from pipeline.alarms.conditions import SIGNS, glob, holds
from pipeline.alarms.evaluator import concerns, decide, is_quiet
from pipeline.alarms.found import MISSING, Found, found, why_not
from pipeline.errors import InvalidValue
from pipeline.event import Event
from pipeline.times import plain


class About(StrEnum):
    """What a check is about."""

    ENABLED = "enabled"
    STATE = "state"
    PROJECT = "project"
    TIME = "time constraints"
    EVENT_TYPE = "event type"
    CONDITION = "condition"
    LEAF = "leaf"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so. `wanted` and `why` are for people; `found` is what there is.

    `condition` is there for a check of a condition. `why` is '' where nothing needs be said.
    `rule` says which leaf of a composite rule it is of: `rule1`, `rule2`, …
    """

    about: About
    holds: bool
    wanted: str
    found: Found
    why: str = ""
    condition: Condition | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Leaf:
    """The checks of one event rule, its type and every condition; of a reference, of the alarm."""

    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether the event meets the rule."""
        return all(check.holds for check in self.checks)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an event does to an alarm at `at`, and why.

    `own` are the checks of the alarm itself, `leaves` those of its rule, of a composite one from
    left to right. Of such a one `states` say what the event makes of each leaf, and of the whole
    as the last. `transition` is what it makes, None if it does not fire.
    """

    alarm: Alarm
    event: Event
    at: datetime
    own: tuple[Check, ...]
    leaves: tuple[Leaf, ...]
    transition: Transition | None
    states: tuple[Check, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks, those of the alarm itself first."""
        return (*self.own, *(check for leaf in self.leaves for check in leaf.checks), *self.states)

    @property
    def fires(self) -> bool:
        """Whether the alarm fires."""
        return self.transition is not None

    @property
    def verdict(self) -> str:
        """The answer in a few words, with the states before and after."""
        if self.transition is not None:
            change = f"{self.transition.previous} → {self.transition.current}"
            again = self.transition.previous is self.transition.current
            return f"fires again: {change}" if again else f"fires: {change}"
        failing = [check for check in self.checks if not check.holds]
        if self.states:
            return self._composite_verdict()
        if [check.about for check in failing] == [About.STATE]:
            return "matches and stays silent: it is in state alarm already"
        return f"does not fire: {', '.join(map(named, failing))}"

    def _composite_verdict(self) -> str:
        failing = [check for check in self.own if not (check.holds or check.about is About.STATE)]
        if failing:
            return f"does not fire: {', '.join(map(named, failing))}"
        whole = self.states[-1]
        if not any(leaf.holds for leaf in self.leaves if leaf.checks):
            return "does not fire: the event meets none of its conditions"
        return f"does not fire: {whole.wanted} stays {whole.found.shown}"


_NONE: Mapping[str, Referred] = MappingProxyType({})


def explain(
    alarm: Alarm, event: Event, now: datetime, referred: Mapping[str, Referred] = _NONE
) -> Explanation:
    """Why the alarm, as it stands, does or does not fire on the event at `now` (aware).

    `referred` are the alarms that a composite one refers to, by id; others are unknown.
    """
    own = tuple(_own_checks(alarm, event, now))
    if not isinstance(alarm.rule, EventRule):
        return _composite(alarm, event, now, own, referred)
    leaf = Leaf(tuple(_rule_checks(alarm.rule, event)))
    usable = leaf.holds and all(check.holds for check in own)
    transition = decide(alarm, event, now) if usable else None
    return Explanation(alarm, event, now, own, (leaf,), transition)


def _composite(
    alarm: Alarm,
    event: Event,
    now: datetime,
    own: tuple[Check, ...],
    referred: Mapping[str, Referred],
) -> Explanation:
    rule = rule_of(alarm)
    names = [f"rule{number}" for number in range(1, len(rule.leaves) + 1)]
    leaves = tuple(
        Leaf(() if isinstance(leaf, Reference) else tuple(_of_leaf(leaf, event, name)))
        for name, leaf in zip(names, rule.leaves, strict=True)
    )
    of_events = [leaf for leaf in leaves if leaf.checks]
    sees = concerns(alarm, event)
    met = {number for number, leaf in enumerate(of_events) if sees and leaf.holds}
    transition = None
    if met - set(quiet_conditions(alarm)) and _usable(alarm, own):
        evaluation = Evaluation(Composites({alarm.alarm_id: alarm}, referred), now)
        transition = next(iter(evaluation.happens(event, met=[alarm.alarm_id])), None)
    acts = all(check.holds for check in own if check.about in (About.ENABLED, About.TIME))
    states = tuple(_states(alarm, names, met if acts else set(), referred))
    return Explanation(alarm, event, now, own, leaves, transition, states)


def _usable(alarm: Alarm, own: Sequence[Check]) -> bool:
    """Whether the alarm is in force: one with anything that cannot be read is not matched."""
    try:
        for rule in rule_of(alarm).event_rules:
            conditions.check(rule)
    except InvalidValue:
        return False
    return all(check.holds for check in own if check.about in (About.ENABLED, About.TIME))


def _of_leaf(rule: EventRule, event: Event, name: str) -> Iterator[Check]:
    for check in _rule_checks(rule, event):
        yield replace(check, rule=name)


def _states(
    alarm: Alarm, names: Sequence[str], met: set[int], referred: Mapping[str, Referred]
) -> Iterator[Check]:
    """What each leaf is once the event came, and what the rule makes of that."""
    rule, before = rule_of(alarm), enumerate(leaf_states(alarm))
    found: list[State] = []
    for name, leaf in zip(names, rule.leaves, strict=True):
        if isinstance(leaf, Reference):
            other = referred.get(leaf.alarm)
            found.append(other.state if other else State.INSUFFICIENT_DATA)
            why = f"It is the state of alarm {other.name or leaf.alarm}." if other else _UNKNOWN
        else:
            number, state = next(before)
            found.append(State.ALARM if number in met else state)
            why = _why_so(state, number in met)
        yield _state_check(About.LEAF, str(State.ALARM), found[-1], why, name)
    yield _state_check(About.RULE, form(rule), value(rule, found), "", "")


_UNKNOWN = "The alarm that it refers to is not known here."


def _why_so(before: State, met: bool) -> str:
    if before is State.ALARM:
        return "An event met it before; so it stays until a person sets the alarm's state."
    return "The event meets it." if met else "No event has met it yet."


def _state_check(about: About, wanted: str, state: State, why: str, rule: str) -> Check:
    is_alarm = state is State.ALARM
    text = why or ("" if is_alarm else "Its leaves do not make it alarm.")
    return Check(about, is_alarm, wanted, Found.of(str(state)), text, rule=rule)


def named(check: Check) -> str:
    """The check in a few words: what was wanted where it is a condition."""
    if check.condition is not None:
        return condition_text(check.condition)
    return str(check.about)


def condition_text(condition: Condition) -> str:
    """A condition as people read it: `traits.outcome = failure`."""
    return f"{condition.field} {SIGNS.get(condition.op, condition.op)} {condition.value}"


def as_dict(explanation: Explanation) -> dict[str, Any]:
    """The explanation as what JSON can say."""
    event, transition = explanation.event, explanation.transition
    return {
        "alarm_id": explanation.alarm.alarm_id,
        "name": explanation.alarm.name,
        "message_id": event.message_id,
        "event_type": event.event_type,
        "generated": plain(event.generated),
        "at": plain(explanation.at),
        "fires": explanation.fires,
        "verdict": explanation.verdict,
        "previous": str(explanation.alarm.state),
        "current": str(transition.current if transition else explanation.alarm.state),
        "reason": transition.reason if transition else None,
        "form": explanation.states[-1].wanted if explanation.states else None,
        "checks": [*map(_check_dict, explanation.checks)],
    }


def _check_dict(check: Check) -> dict[str, Any]:
    condition = check.condition
    return {
        "rule": check.rule or None,
        "check": str(check.about),
        "field": condition.field if condition else None,
        "op": condition.op if condition else None,
        "type": condition.type if condition else None,
        "holds": check.holds,
        "wanted": str(condition.value) if condition else check.wanted,
        "found": check.found.value,
        "found_type": str(check.found.kind),
        "why": check.why,
    }


# --- the alarm itself ------------------------------------------------------------------------


def _own_checks(alarm: Alarm, event: Event, now: datetime) -> Iterator[Check]:
    yield _enabled(alarm)
    yield _state(alarm)
    yield _project(alarm, event)
    if alarm.time_constraints:
        yield _time(alarm.time_constraints, now)


def _enabled(alarm: Alarm) -> Check:
    why = "" if alarm.enabled else "A disabled alarm never fires. Enable it with --enabled True."
    return Check(About.ENABLED, alarm.enabled, "true", Found.of(alarm.enabled), why)


def _state(alarm: Alarm) -> Check:
    state = Found.of(str(alarm.state))
    if is_quiet(alarm):
        why = (
            "It fired before and repeat_actions is off: it stays silent until its state is set to"
            " another, or repeat_actions to true."
        )
        return Check(About.STATE, False, "not alarm", state, why)
    if alarm.state is State.ALARM:
        return Check(About.STATE, True, "any", state, "repeat_actions is on: it fires every time.")
    wanted = "any" if alarm.repeat_actions else "not alarm"
    return Check(About.STATE, True, wanted, state)


def _project(alarm: Alarm, event: Event) -> Check:
    of_event = Found.of(event.project_id) if event.project_id else MISSING
    if alarm.all_projects:
        return Check(About.PROJECT, True, "any", of_event)
    wanted = alarm.project_id or "none"
    if concerns(alarm, event):
        return Check(About.PROJECT, True, wanted, of_event)
    return Check(About.PROJECT, False, wanted, of_event, _of_another_project(alarm, event))


def _of_another_project(alarm: Alarm, event: Event) -> str:
    if not event.project_id:
        return (
            "The event has no trait project_id or tenant_id. An alarm of a project sees its"
            " project's events alone; with all_projects it would see this one."
        )
    if not alarm.project_id:
        return (
            "An alarm without a project sees the events that have none; with all_projects it"
            " would see this one."
        )
    return "The event is another project's; with all_projects the alarm would see it."


def _time(constraints: Sequence[TimeConstraint], now: datetime) -> Check:
    lines = [_window(constraint, now) for constraint in constraints]
    is_open = all(readable for readable, _ in lines) and schedule.within(constraints, now)
    why = "\n".join(text for _, text in lines)
    wanted = "one window open" if len(constraints) > 1 else "its window open"
    return Check(About.TIME, is_open, wanted, Found.of(now), why)


def _window(constraint: TimeConstraint, now: datetime) -> tuple[bool, str]:
    """Whether the constraint can be read, and how it stands."""
    try:
        window = schedule.window(constraint, now)
    except InvalidValue as error:
        return False, f"{constraint.name}: cannot be read, so the alarm never fires: {error}"
    if window.open:
        stands = f"open from {_shown(window.opened)} to {_shown(window.ends)}"
    else:
        stands = f"closed since {_shown(window.ends)}, opens {_shown(window.next_opens)}"
    return True, f"{constraint.name}: {stands}"


def _shown(moment: datetime | None) -> str:
    return "no date" if moment is None else moment.isoformat(" ", "seconds")


# --- its rule --------------------------------------------------------------------------------


def _rule_checks(rule: EventRule, event: Event) -> Iterator[Check]:
    yield _event_type(rule.event_type, event)
    for condition in rule.query:
        yield _condition(condition, event)


def _event_type(pattern: str, event: Event) -> Check:
    found = Found.of(event.event_type)
    try:
        fits = bool(glob(pattern)(event.event_type))
    except InvalidValue as error:
        return Check(About.EVENT_TYPE, False, pattern, found, _broken(error))
    why = "" if fits else _other_type(pattern, event.event_type)
    return Check(About.EVENT_TYPE, fits, pattern, found, why)


def _other_type(pattern: str, event_type: str) -> str:
    if pattern.lower() == event_type.lower():
        return "They differ in upper and lower case, which counts."
    return "The event is of another type. * stands for any letters, ? for any one."


def _condition(condition: Condition, event: Event) -> Check:
    there = found(condition.field, event)
    wanted = _wanted(condition)
    try:
        met = holds(condition, event)
    except InvalidValue as error:
        return Check(About.CONDITION, False, wanted, there, _broken(error), condition)
    why = "" if met else why_not(condition, there, event)
    return Check(About.CONDITION, met, wanted, there, why, condition)


def _wanted(condition: Condition) -> str:
    type = f" ({condition.type})" if condition.type else ""
    return f"{SIGNS.get(condition.op, condition.op)} {condition.value}{type}"


def _broken(error: InvalidValue) -> str:
    return f"It cannot be read, so the alarm never fires: {error}"
