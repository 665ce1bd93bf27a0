"""Composites: what becomes of composite alarms when something changes that they are about.

An event may meet conditions of theirs; an alarm that they refer to may come into another state, by
an event or by what a person does. Each such thing is looked at once, the alarms that are referred
to before those that refer to them. Reasons are Aodh's, character by character
(`aodh.evaluator.composite`); what the rule gives is said in `pipeline.alarms.composition`.

Pure. Called by the worker for events and by the store for what people do, inside their
transactions.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from pipeline.alarms.alarm import (
    Alarm,
    CompositeRule,
    EventRule,
    Reference,
    State,
    Transition,
    leaf_dict,
)
from pipeline.alarms.composition import form, leaf_states, rule_of, value, with_leaf_states
from pipeline.alarms.conditions import hits
from pipeline.alarms.schedule import within
from pipeline.errors import InvalidValue
from pipeline.event import Event

_DESCRIPTIONS = {
    State.ALARM: "outside their threshold.",
    State.OK: "inside their threshold.",
    State.INSUFFICIENT_DATA: "state evaluated to unknown.",
}


class Referred(NamedTuple):
    """An alarm that is referred to."""

    name: str
    state: State


@dataclass(frozen=True, slots=True)
class Composites:
    """Composite alarms as they stand, held against change, each after those that it refers to.

    `referred` are all that they refer to, by id.
    """

    alarms: Mapping[str, Alarm] = field(default_factory=dict)
    referred: Mapping[str, Referred] = field(default_factory=dict)


class Evaluation:
    """Composite alarms while one thing after the other happens. `now` is aware UTC.

    `met` are the (alarm_id, message_id) pairs of events that met a condition and changed
    something: each is a firing, so that the same event changes nothing a second time.
    """

    def __init__(self, composites: Composites, now: datetime) -> None:
        self._before, self._now = composites.alarms, now
        self.alarms = dict(composites.alarms)
        self._names = {alarm_id: each.name for alarm_id, each in composites.referred.items()}
        self._states = {alarm_id: each.state for alarm_id, each in composites.referred.items()}
        self._places = {alarm_id: place for place, alarm_id in enumerate(self.alarms)}
        self._ids = list(self.alarms)
        self._parents: dict[str, list[str]] = {}
        for alarm_id, alarm in self.alarms.items():
            for referred in rule_of(alarm).references:
                self._parents.setdefault(referred, []).append(alarm_id)
        self.met: list[tuple[str, str]] = []

    @property
    def with_new_leaf_states(self) -> list[Alarm]:
        """The alarms whose event conditions are in other states than before."""
        return [
            alarm
            for alarm_id, alarm in self.alarms.items()
            if alarm.leaf_states != self._before[alarm_id].leaf_states
        ]

    def happens(
        self,
        event: Event | None = None,
        *,
        met: Collection[str] = (),
        changed: Mapping[str, State] | None = None,
        asked: Collection[str] = (),
    ) -> list[Transition]:
        """What comes of one thing that happens, each alarm once, those referred to first.

        `met` are alarms of which the event may meet a condition, `changed` others that fired or
        were set, with their states; `asked` are to be looked at whatever there was.
        """
        fired = dict(changed or {})
        self._states.update(fired)
        waiting = {self._places[each] for each in (*met, *asked) if each in self._places}
        waiting.update(self._places[parent] for each in fired for parent in self._above(each))
        queue, transitions = sorted(waiting), []
        while queue:
            alarm_id = self._ids[heapq.heappop(queue)]
            transition = self._looked_at(alarm_id, event if alarm_id in met else None, fired)
            if transition is None:
                continue
            transitions.append(replace(transition, event=event))
            fired[alarm_id] = self._states[alarm_id] = transition.current
            for place in map(self._places.__getitem__, self._above(alarm_id)):
                if place not in waiting:
                    waiting.add(place)
                    heapq.heappush(queue, place)
        return transitions

    def _above(self, alarm_id: str) -> Sequence[str]:
        return self._parents.get(alarm_id, ())

    def _looked_at(
        self, alarm_id: str, event: Event | None, fired: Mapping[str, State]
    ) -> Transition | None:
        alarm = self.alarms[alarm_id]
        if not (alarm.enabled and _in_time(alarm, self._now)):
            return None
        before, rule = leaf_states(alarm), rule_of(alarm)
        met = _conditions_met(alarm, event) if event else frozenset()
        leaves = [State.ALARM if at in met else state for at, state in enumerate(before)]
        states = list(self._leaves(rule, leaves))
        current = value(rule, states)
        again = bool(met) or any(fired.get(each) is State.ALARM for each in rule.references)
        repeats = alarm.repeat_actions and again and current is State.ALARM
        transition = None
        if current is not alarm.state or repeats:
            transition = self._transition(alarm, current, states)
        self.alarms[alarm_id] = with_leaf_states(replace(alarm, state=current), leaves)
        if event and met and (transition or tuple(leaves) != before):
            self.met.append((alarm_id, event.message_id))
        return transition

    def _leaves(self, rule: CompositeRule, event_states: Iterable[State]) -> Iterator[State]:
        of_events = iter(event_states)
        for leaf in rule.leaves:
            if isinstance(leaf, Reference):
                yield self._states.get(leaf.alarm, State.INSUFFICIENT_DATA)
            else:
                yield next(of_events)

    def _transition(self, alarm: Alarm, current: State, states: Sequence[State]) -> Transition:
        rule = rule_of(alarm)
        causes = {
            f"rule{number}": self._told(leaf)
            for number, (leaf, state) in enumerate(zip(rule.leaves, states, strict=True), start=1)
            if state is current
        }
        verb = "remaining as" if current is alarm.state else "transition to"
        reason = (
            f"Composite rule alarm with composition form: {form(rule)} {verb} {current.value},"
            f" due to rules: {', '.join(sorted(causes))} {_DESCRIPTIONS[current]}"
        )
        data = {
            "type": "composite",
            "composition_form": form(rule),
            "causative_rules": causes,
        }
        return Transition(alarm, None, alarm.state, current, reason, self._now, data=data)

    def _told(self, leaf: EventRule | Reference) -> dict[str, Any]:
        """A leaf as reason data have it; of an alarm also its name, which people know it by."""
        if isinstance(leaf, Reference):
            return {**leaf_dict(leaf), "name": self._names.get(leaf.alarm, "")}
        return leaf_dict(leaf)


def happened(
    evaluation: Evaluation,
    pairs: Iterable[tuple[str, Event]],
    transitions: Iterable[Transition],
    fired: set[tuple[str, str]],
) -> list[Transition]:
    """What the events of a batch make of composite alarms, in their order.

    `pairs` are (alarm_id, event): the event may meet a condition of the alarm. `transitions` are
    what the events made of other alarms. `fired` are the pairs that have fired before; those that
    do here are added.
    """
    met: dict[int, tuple[Event, list[str]]] = {}
    changed: dict[int, dict[str, State]] = {}
    for alarm_id, event in pairs:
        met.setdefault(id(event), (event, []))[1].append(alarm_id)
    for each in transitions:
        changed.setdefault(id(each.event), {})[each.alarm.alarm_id] = each.current
    made: list[Transition] = []
    for key, (event, alarm_ids) in met.items():
        new = {each for each in alarm_ids if (each, event.message_id) not in fired}
        known = len(evaluation.met)
        made += evaluation.happens(event, met=new, changed=changed.get(key))
        fired.update(evaluation.met[known:])
    return made


def decide_alone(alarm: Alarm, event: Event, now: datetime) -> Transition | None:
    """The transition to alarm that an event makes of a composite alarm by itself, the alarms that
    it refers to being in an unknown state; None if it makes none."""
    evaluation = Evaluation(Composites({alarm.alarm_id: alarm}), now)
    made = evaluation.happens(event, met=[alarm.alarm_id])
    return next((each for each in made if each.current is State.ALARM), None)


def _conditions_met(alarm: Alarm, event: Event) -> frozenset[int]:
    if not (alarm.all_projects or alarm.project_id == event.project_id):
        return frozenset()
    rules = rule_of(alarm).event_rules
    return frozenset(number for number, rule in enumerate(rules) if _hits(rule, event))


def _hits(rule: EventRule, event: Event) -> bool:
    try:
        return hits(rule, event)
    except InvalidValue:
        # Refused when the alarm is made, and reported when it is loaded (`evaluator`).
        return False


def _in_time(alarm: Alarm, now: datetime) -> bool:
    try:
        return within(alarm.time_constraints, now)
    except InvalidValue:
        return False
