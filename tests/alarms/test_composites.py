"""Composite alarms: what their rule gives, and what becomes of them (alarms 5)."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pipeline.alarms.alarm import (
    Alarm,
    CompositeRule,
    EventRule,
    Reference,
    State,
    TimeConstraint,
    Transition,
)
from pipeline.alarms.composites import Composites, Evaluation, Referred
from pipeline.alarms.composition import carried_over, form, leaf_states, set_by_hand, value
from pipeline.alarms.evaluator import decide
from pipeline.alarms.references import Directory, resolve
from pipeline.errors import InvalidValue

from builders import NOON, a_composite, a_rule, all_of, an_alarm, an_event, any_of

OK, ALARM, UNKNOWN = State.OK, State.ALARM, State.INSUFFICIENT_DATA
A, B, C = a_rule("a"), a_rule("b"), a_rule("c")
X, Y = Reference("x"), Reference("y")


# --- the rule --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "all_", "any_"),
    [
        ((ALARM, ALARM), ALARM, ALARM),
        ((ALARM, OK), OK, ALARM),
        ((ALARM, UNKNOWN), UNKNOWN, ALARM),
        ((OK, OK), OK, OK),
        ((OK, UNKNOWN), OK, UNKNOWN),
        ((UNKNOWN, UNKNOWN), UNKNOWN, UNKNOWN),
    ],
)
def test_and_and_or_are_aodhs(states: tuple[State, State], all_: State, any_: State) -> None:
    """alarms 5: alarm wins, else ok, else insufficient data"""
    for order in (states, states[::-1]):
        assert value(all_of(A, B), order) is all_
        assert value(any_of(A, B), order) is any_


def test_the_form_numbers_the_rules_from_left_to_right() -> None:
    """alarms 5"""
    assert form(any_of(A, B)) == "(rule1 or rule2)"
    assert form(all_of(A, any_of(X, all_of(B, Y)), C)) == (
        "(rule1 and (rule2 or (rule3 and rule4)) and rule5)"
    )
    assert form(any_of(A)) == "(rule1)"


RULES: Any = st.recursive(
    st.sampled_from([A, B, C, X, Y]),
    lambda parts: st.builds(
        CompositeRule,
        st.sampled_from(["and", "or"]),
        st.lists(parts, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=6,
).filter(lambda rule: isinstance(rule, CompositeRule))


@given(RULES, st.data())
def test_a_rule_gives_what_holds_whatever_the_unknown_states_are(
    rule: CompositeRule, data: st.DataObject
) -> None:
    """A state that is not known may be any: the rule gives what a reading of it alone, as truth
    over every leaf, gives for all of them. No leaf stands twice here, so that is exact."""
    states = [data.draw(st.sampled_from([OK, ALARM, UNKNOWN])) for _ in rule.leaves]
    unknown = [at for at, state in enumerate(states) if state is UNKNOWN]
    found = set()
    for guesses in product([False, True], repeat=len(unknown)):
        guessed = dict(zip(unknown, guesses, strict=True))
        leaves = iter([guessed.get(at, state is ALARM) for at, state in enumerate(states)])
        found.add(_holds(rule, leaves))
    wanted = UNKNOWN if len(found) == 2 else ALARM if found == {True} else OK
    assert value(rule, states) is wanted


def _holds(rule: CompositeRule, leaves: Any) -> bool:
    parts = [
        _holds(part, leaves) if isinstance(part, CompositeRule) else next(leaves)
        for part in rule.parts
    ]
    return all(parts) if rule.op == "and" else any(parts)


@given(RULES)
def test_leaves_stand_in_the_order_in_which_they_are_written(rule: CompositeRule) -> None:
    assert [*rule.leaves] == _written(rule.as_dict())
    assert [*rule.event_rules] == [leaf for leaf in rule.leaves if isinstance(leaf, EventRule)]
    assert {*rule.references} == {e.alarm for e in rule.leaves if isinstance(e, Reference)}


def _written(document: dict[str, Any]) -> list[Any]:
    if "alarm" in document:
        return [Reference(document["alarm"])]
    if "type" in document:
        return [a_rule(document["event_type"])]
    ((_, parts),) = document.items()
    return [leaf for part in parts for leaf in _written(part)]


# --- conditions on events --------------------------------------------------------------------


def happens(alarm: Alarm, *events: str) -> list[Transition]:
    return after(Evaluation(Composites({"c": alarm}), NOON), *events)


def after(evaluation: Evaluation, *events: str) -> list[Transition]:
    made = []
    for event_type in events:
        made += evaluation.happens(an_event(event_type=event_type), met=["c"])
    return made


def comes(alarm: Alarm, current: State, **states: State) -> list[Transition]:
    """What comes of it when x, which the alarm refers to, fires or is set to this state."""
    referred = {name: Referred(f"the {name}", state) for name, state in states.items()}
    return Evaluation(Composites({"c": alarm}, referred), NOON).happens(changed={"x": current})


def composite(rule: CompositeRule, **changes: Any) -> Alarm:
    return a_composite(rule, **{"alarm_id": "c", "all_projects": True, **changes})


def test_an_event_puts_its_condition_in_alarm_where_it_stays() -> None:
    """alarms 5"""
    evaluation = Evaluation(Composites({"c": composite(all_of(A, B))}), NOON)
    assert after(evaluation, "a") == []
    assert leaf_states(evaluation.alarms["c"]) == (ALARM, UNKNOWN)
    (made,) = after(evaluation, "b")
    assert (made.previous, made.current) == (UNKNOWN, ALARM)
    assert after(evaluation, "a", "b") == []
    assert [each.state for each in evaluation.with_new_leaf_states] == [ALARM]


def test_the_reason_is_aodhs_to_the_character() -> None:
    """alarms 5, 12"""
    (made,) = happens(composite(any_of(X, A)), "a")
    assert made.reason == (
        "Composite rule alarm with composition form: (rule1 or rule2) transition to alarm,"
        " due to rules: rule2 outside their threshold."
    )
    assert made.reason_data == {
        "type": "composite",
        "composition_form": "(rule1 or rule2)",
        "causative_rules": {"rule2": {"type": "event", "event_type": "a", "query": []}},
        "event": made.event.as_dict(),
    }


def test_the_reason_names_every_rule_that_is_in_the_new_state() -> None:
    alarm = composite(all_of(X, A), state=ALARM, leaf_states=(ALARM,))
    (ok,) = comes(alarm, OK, x=ALARM)
    assert ok.reason.endswith("transition to ok, due to rules: rule1 inside their threshold.")
    assert ok.reason_data["causative_rules"] == {"rule1": {"alarm": "x", "name": "the x"}}
    assert "event" not in ok.reason_data
    (unknown,) = comes(alarm, UNKNOWN, x=ALARM)
    assert unknown.reason.endswith(
        "transition to insufficient data, due to rules: rule1 state evaluated to unknown."
    )


def test_with_repeat_actions_every_event_tells_that_meets_a_condition() -> None:
    """alarms 11"""
    alarm = composite(any_of(A, X), repeat_actions=True)
    first, second = happens(alarm, "a", "a", "b")
    assert (second.previous, second.current) == (ALARM, ALARM)
    assert "remaining as alarm, due to rules: rule1" in second.reason
    assert first.reason_data["event"] != second.reason_data["event"]


def test_with_repeat_actions_an_alarm_that_fires_again_tells_again() -> None:
    """alarms 11: but not one that ends"""
    alarm = composite(any_of(X, Y), repeat_actions=True, state=ALARM)
    assert len(comes(alarm, ALARM, x=ALARM, y=OK)) == 1
    assert comes(alarm, OK, x=ALARM, y=ALARM) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"all_projects": False, "project_id": "other"},
        {"time_constraints": (TimeConstraint("night", "0 1 * * *", 60),)},
    ],
)
def test_what_does_not_concern_the_alarm_leaves_its_conditions_alone(changes: Any) -> None:
    """alarms 4, 9"""
    evaluation = Evaluation(Composites({"c": composite(any_of(A), **changes)}), NOON)
    assert after(evaluation, "a") == []
    assert evaluation.with_new_leaf_states == []
    assert evaluation.met == []


def test_an_event_that_changes_something_is_a_firing_and_another_is_not() -> None:
    evaluation = Evaluation(Composites({"c": composite(all_of(A, B))}), NOON)
    first, again = an_event(event_type="a"), an_event(event_type="a")
    evaluation.happens(first, met=["c"])
    evaluation.happens(again, met=["c"])
    assert evaluation.met == [("c", first.message_id)]


def test_one_event_makes_one_transition_of_each_alarm_the_lower_first() -> None:
    low = composite(any_of(A, X), alarm_id="low")
    high = composite(all_of(low, A), alarm_id="high")
    evaluation = Evaluation(
        Composites(
            {"low": low, "high": high},
            {"x": Referred("x", UNKNOWN), "low": Referred("low", UNKNOWN)},
        ),
        NOON,
    )
    made = evaluation.happens(an_event(event_type="a"), met=["high", "low"], changed={"x": ALARM})
    assert [(each.alarm.alarm_id, each.current) for each in made] == [
        ("low", ALARM),
        ("high", ALARM),
    ]


def test_setting_the_state_by_hand_sets_the_conditions_but_alarm_does_not() -> None:
    """alarms 11"""
    alarm = composite(all_of(A, B), leaf_states=(ALARM, UNKNOWN))
    assert leaf_states(set_by_hand(alarm, OK)) == (OK, OK)
    assert leaf_states(set_by_hand(alarm, UNKNOWN)) == (UNKNOWN, UNKNOWN)
    assert set_by_hand(alarm, ALARM) == alarm


def test_conditions_that_a_new_rule_still_has_keep_their_states() -> None:
    before = composite(all_of(A, B), leaf_states=(ALARM, OK))
    after = carried_over(before, replace(before, rule=any_of(C, B, A)))
    assert leaf_states(after) == (UNKNOWN, OK, ALARM)
    assert carried_over(before, replace(before, rule=A, type="event")).leaf_states == ()


def test_an_event_alone_decides_what_it_can() -> None:
    """For people who try an alarm out."""
    made = decide(composite(any_of(A, X)), an_event(event_type="a"), NOON)
    assert made is not None
    assert made.current is ALARM
    assert decide(composite(all_of(A, X)), an_event(event_type="a"), NOON) is None


# --- references ------------------------------------------------------------------------------

OTHERS = [
    an_alarm(alarm_id="1", name="disk", project_id="p"),
    an_alarm(alarm_id="2", name="net", project_id="p"),
    an_alarm(alarm_id="3", name="net", project_id="q"),
]


def referring(text: str, **changes: Any) -> Alarm:
    return a_composite(any_of(A, all_of(Reference(text))), **changes)


def test_a_name_leads_to_an_alarm_that_the_alarm_may_see() -> None:
    for text, changes, wanted in (
        ("disk", {"project_id": "p"}, "1"),
        ("net", {"project_id": "p"}, "2"),
        ("net", {"project_id": "q"}, "3"),
        ("3", {"all_projects": True}, "3"),
    ):
        resolved = resolve(referring(text, **changes), Directory(OTHERS))
        assert resolved.rule == any_of(A, all_of(Reference(wanted)))


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("dsk", {"all_projects": True}, "there is no alarm 'dsk'. Make it first"),
        ("3", {"project_id": "p"}, "there is no alarm '3' in project 'p'"),
        ("disk", {"project_id": "q"}, "there is no alarm 'disk' in project 'q'"),
        ("net", {"all_projects": True}, "more than one alarm is named 'net'. Use an id: 2, 3"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(text: str, changes: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=message) as refused:
        resolve(referring(text, **changes), Directory(OTHERS))
    assert refused.value.field == "composite_rule"
