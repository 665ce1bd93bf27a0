"""A plain model of event alarms and composite alarms, to hold the real thing against.

It knows nothing of indexes, locks, memory or SQL: each thing that happens is tried on every alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pipeline.alarms.alarm import State

Tree: TypeAlias = tuple[str, Any]
"""`("event", type)`, `("alarm", number)`, or `("and"|"or", [tree, …])`."""


@dataclass
class Modelled:
    """An alarm: what it is about, whether it repeats, its state and those of its conditions."""

    tree: Tree
    repeats: bool
    state: State = State.INSUFFICIENT_DATA
    conditions: dict[int, State] = field(default_factory=dict)
    told: int = 0

    @property
    def composite(self) -> bool:
        return self.tree[0] != "event"


class Model:
    """Alarms by number; each may refer to lower numbers."""

    def __init__(self, alarms: Sequence[tuple[Tree, bool]]) -> None:
        self.alarms = [Modelled(tree, repeats) for tree, repeats in alarms]
        self._fired: set[tuple[int, str]] = set()

    def event(self, message_id: str, event_type: str) -> None:
        fired: dict[int, State] = {}
        for number, alarm in enumerate(self.alarms):
            before = (number, message_id) in self._fired
            if not alarm.composite:
                may = alarm.repeats or alarm.state is not State.ALARM
                if alarm.tree[1] == event_type and may and not before:
                    self._goes(number, State.ALARM, fired)
                    self._fired.add((number, message_id))
                continue
            met = [] if before else self._met(alarm.tree, event_type)
            new = [at for at in met if alarm.conditions.get(at) is not State.ALARM]
            alarm.conditions.update(dict.fromkeys(met, State.ALARM))
            if self._looks(number, fired, met=bool(met)) and met:
                self._fired.add((number, message_id))
            if new:
                self._fired.add((number, message_id))

    def set(self, number: int, state: State) -> None:
        alarm = self.alarms[number]
        same = alarm.state is state
        alarm.state = state
        if state is not State.ALARM:
            alarm.conditions = {at: state for at, _ in enumerate(self._events(alarm.tree))}
        if not same:
            fired = {number: state}
            for other in range(len(self.alarms)):
                if self.alarms[other].composite and other != number:
                    self._looks(other, fired, met=False)

    def _looks(self, number: int, fired: dict[int, State], *, met: bool) -> bool:
        alarm = self.alarms[number]
        touched = [fired[each] for each in self._references(alarm.tree) if each in fired]
        if not (met or touched):
            return False
        value = self._value(alarm, alarm.tree, iter(range(1_000)))
        again = alarm.repeats and value is State.ALARM and (met or State.ALARM in touched)
        if value is alarm.state and not again:
            return False
        self._goes(number, value, fired)
        return True

    def _goes(self, number: int, state: State, fired: dict[int, State]) -> None:
        self.alarms[number].state = fired[number] = state
        self.alarms[number].told += 1

    def _value(self, alarm: Modelled, tree: Tree, numbers: Any) -> State:
        kind, what = tree
        if kind == "event":
            return alarm.conditions.get(next(numbers), State.INSUFFICIENT_DATA)
        if kind == "alarm":
            return self.alarms[what].state
        states = {self._value(alarm, part, numbers) for part in what}
        first, last = (State.OK, State.ALARM) if kind == "and" else (State.ALARM, State.OK)
        if first in states:
            return first
        return last if states == {last} else State.INSUFFICIENT_DATA

    def _met(self, tree: Tree, event_type: str) -> list[int]:
        return [at for at, wanted in enumerate(self._events(tree)) if wanted == event_type]

    def _events(self, tree: Tree) -> list[str]:
        return [what for kind, what in _leaves(tree) if kind == "event"]

    def _references(self, tree: Tree) -> list[int]:
        return [what for kind, what in _leaves(tree) if kind == "alarm"]


def _leaves(tree: Tree) -> list[Tree]:
    kind, what = tree
    return [leaf for part in what for leaf in _leaves(part)] if kind in ("and", "or") else [tree]


def seen(alarms: Sequence[Modelled]) -> list[Mapping[str, Any]]:
    """What can be compared."""
    return [
        {
            "state": alarm.state,
            "told": alarm.told,
            "conditions": sorted(
                (at, state)
                for at, state in alarm.conditions.items()
                if alarm.composite and state is not State.INSUFFICIENT_DATA
            ),
        }
        for alarm in alarms
    ]
