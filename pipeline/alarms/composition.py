"""Composition: what a composite rule gives, of the states of its leaves.

An event condition in the rule is as an event alarm of its own would be: an event that meets it
puts it in state alarm, where it stays until a person sets the state of its alarm back. `and` and
`or` are Aodh's (`aodh.evaluator.composite`): alarm if the rule is surely met, else ok if it surely
is not, else insufficient data.

Pure. Used by `pipeline.alarms.composites`, and by the store for what people change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.alarms.alarm import Alarm, CompositeRule, EventRule, State

_UNKNOWN = State.INSUFFICIENT_DATA


def rule_of(alarm: Alarm) -> CompositeRule:
    """The rule of a composite alarm."""
    assert isinstance(alarm.rule, CompositeRule)
    return alarm.rule


def leaf_states(alarm: Alarm) -> tuple[State, ...]:
    """The state of each event condition of a composite alarm."""
    return alarm.leaf_states or (_UNKNOWN,) * len(rule_of(alarm).event_rules)


def with_leaf_states(alarm: Alarm, states: Sequence[State]) -> Alarm:
    """The composite alarm with its event conditions in these states."""
    known = () if all(state is _UNKNOWN for state in states) else tuple(states)
    return replace(alarm, leaf_states=known)


def set_by_hand(alarm: Alarm, state: State) -> Alarm:
    """The composite alarm with its event conditions as they are once its state is set to this.

    Ok and insufficient data become theirs; alarm leaves them as they are.
    """
    if state is State.ALARM:
        return alarm
    return with_leaf_states(alarm, (state,) * len(rule_of(alarm).event_rules))


def carried_over(before: Alarm, after: Alarm) -> Alarm:
    """The alarm after a change of its rule: conditions that it had keep their states."""
    if not isinstance(after.rule, CompositeRule):
        return replace(after, leaf_states=())
    known: dict[EventRule, State] = {}
    if isinstance(before.rule, CompositeRule):
        known = dict(zip(before.rule.event_rules, leaf_states(before), strict=True))
    states = [known.get(rule, _UNKNOWN) for rule in after.rule.event_rules]
    return with_leaf_states(after, states)


def value(rule: CompositeRule, leaves: Sequence[State]) -> State:
    """The state that the rule gives, of the states of its leaves from left to right."""
    return _value(rule, iter(leaves))


def form(rule: CompositeRule) -> str:
    """The rule as reasons have it: `(rule1 and (rule2 or rule3))`."""
    return _form(rule, iter(range(1, len(rule.leaves) + 1)))


def quiet_conditions(alarm: Alarm) -> Iterator[int]:
    """The event conditions, by number, of a composite alarm to which no event does anything until
    a person changes the alarm."""
    if alarm.repeat_actions:
        return
    for number, state in enumerate(alarm.leaf_states):
        if state is State.ALARM:
            yield number


def _value(rule: CompositeRule, leaves: Iterator[State]) -> State:
    states = [
        _value(part, leaves) if isinstance(part, CompositeRule) else next(leaves)
        for part in rule.parts
    ]
    if rule.op == "and":
        return _joined(states, all_=State.ALARM, any_=State.OK)
    return _joined(states, all_=State.OK, any_=State.ALARM)


def _joined(states: Sequence[State], *, all_: State, any_: State) -> State:
    if any_ in states:
        return any_
    return all_ if all(state is all_ for state in states) else _UNKNOWN


def _form(rule: CompositeRule, numbers: Iterator[int]) -> str:
    parts = [
        _form(part, numbers) if isinstance(part, CompositeRule) else f"rule{next(numbers)}"
        for part in rule.parts
    ]
    return f"({f' {rule.op} '.join(parts)})"
