"""Why an alarm does or does not fire, and never otherwise than it does (alarms 9 to 11)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipeline.alarms.alarm import Alarm, CompositeRule, Reference, State, TimeConstraint
from pipeline.alarms.composites import Composites, Evaluation, Referred
from pipeline.alarms.evaluator import decide
from pipeline.alarms.explaining import About, Check, Explanation, as_dict, explain
from pipeline.alarms.live import LiveAlarms
from pipeline.event import Event

from alarms.test_index_property import PROJECTS, RULES, events, fires, is_met
from builders import (
    NOON,
    a_composite,
    a_condition,
    a_rule,
    all_of,
    an_alarm,
    an_event,
    any_of,
)

EVENT = an_event(event_type="a.b", message_id="m-1", outcome="success", n=6, project_id="p")
ALWAYS = TimeConstraint("always", "* * * * *", 3600)
NIGHT = TimeConstraint("night", "0 23 * * *", 3 * 3600, "Europe/Ljubljana")
UNREADABLE = TimeConstraint("broken", "bad", 60)
FAR = TimeConstraint("far", "0 0 1 1 *", 10**12)


def explained(event: Event = EVENT, *, now: datetime = NOON, **changes: Any) -> Explanation:
    return explain(an_alarm(**{"rule": a_rule("a.b"), "project_id": "p", **changes}), event, now)


def check_of(
    field: str, value: Any = "x", op: str = "eq", type: str = "", event: Event = EVENT
) -> Check:
    """The check of the one condition of an alarm."""
    found = explained(event, rule=a_rule("a.b", a_condition(field, value, op, type)))
    return next(check for check in found.checks if check.about is About.CONDITION)


# --- the property ----------------------------------------------------------------------------

CONSTRAINTS = st.lists(st.sampled_from([ALWAYS, NIGHT, UNREADABLE, FAR]), max_size=2).map(tuple)


@st.composite
def alarms(draw: st.DrawFn) -> Alarm:
    rule = draw(RULES)
    if draw(st.integers(0, 9)) == 0:
        rule = a_rule("*", *rule.query, a_condition("traits.a", "hello", "ge", "integer"))
    project = draw(PROJECTS)
    return an_alarm(
        rule=rule,
        enabled=draw(st.sampled_from([True, True, True, False])),
        state=draw(st.sampled_from(list(State))),
        repeat_actions=draw(st.booleans()),
        project_id=project or "",
        all_projects=project is None,
        time_constraints=draw(CONSTRAINTS),
    )


@settings(max_examples=500)
@given(alarms(), events(), st.integers(-14, 14))
def test_it_says_what_the_evaluator_and_the_index_do(
    alarm: Alarm, event: Event, hours: int
) -> None:
    now = NOON + timedelta(hours=hours)
    found = explain(alarm, event, now)
    live = LiveAlarms()
    live.load(1, [alarm])
    is_candidate = bool(live.candidates([event]))
    assert found.transition == (decide(alarm, event, now) if is_candidate else None)
    assert found.fires is all(check.holds for check in found.checks)
    assert found.verdict.startswith("fires") is found.fires
    assert all(check.holds or check.why for check in found.checks)
    json.dumps(as_dict(found), allow_nan=False)


@settings(max_examples=500)
@given(RULES, PROJECTS, events())
def test_each_condition_holds_as_a_plain_reading_says(
    rule: Any, project: str | None, event: Event
) -> None:
    alarm = an_alarm(rule=rule, project_id=project or "", all_projects=project is None)
    found = explain(alarm, event, NOON)
    assert found.fires is fires(project, rule, event)
    for check in found.checks:
        if check.condition is not None:
            assert check.holds is is_met(check.condition, event)


RULES_OF_RULES = st.recursive(
    RULES | st.sampled_from([Reference("x"), Reference("y")]),
    lambda parts: st.builds(
        CompositeRule, st.sampled_from(["and", "or"]), st.lists(parts, min_size=1, max_size=3)
        .map(tuple)
    ),
    max_leaves=5,
)  # fmt: skip


@st.composite
def composites(draw: st.DrawFn) -> Alarm:
    parts = draw(st.lists(RULES_OF_RULES, min_size=1, max_size=3))
    rule = CompositeRule(draw(st.sampled_from(["and", "or"])), tuple(parts))
    alarm = draw(alarms())
    states = st.tuples(*(st.sampled_from(list(State)) for _ in rule.event_rules))
    return replace(alarm, type="composite", rule=rule, leaf_states=draw(st.just(()) | states))


@settings(max_examples=500)
@given(composites(), events(), st.integers(-14, 14), st.sampled_from(list(State)))
def test_of_a_composite_alarm_it_says_what_the_evaluation_does(
    alarm: Alarm, event: Event, hours: int, state: State
) -> None:
    """alarms 5"""
    now, referred = NOON + timedelta(hours=hours), {"x": Referred("x", state)}
    found = explain(alarm, event, now, referred)
    live = LiveAlarms()
    live.load(1, [alarm])
    evaluation = Evaluation(Composites({alarm.alarm_id: alarm}, referred), now)
    met = [alarm_id for alarm_id, _ in live.candidates([event])]
    made = evaluation.happens(event, met=met) if met else []
    assert found.transition == next(iter(made), None)
    assert found.verdict.startswith("fires") is found.fires
    if found.transition:
        assert found.states[-1].found.shown == found.transition.current
    assert all(check.holds or check.why for check in found.checks)
    json.dumps(as_dict(found), allow_nan=False)


def test_a_tree_explains_itself_leaf_by_leaf() -> None:
    """alarms 5"""
    met, unmet = a_rule("a.b"), a_rule("a.b", a_condition("traits.outcome", "failure"))
    rule = all_of(met, any_of(unmet, Reference("x")))
    composite = a_composite(rule, project_id="p")
    found = explain(composite, EVENT, NOON, {"x": Referred("other", State.OK)})
    assert found.verdict == ("does not fire: (rule1 and (rule2 or rule3)) stays insufficient data")
    assert [(check.rule, check.about, check.holds) for check in found.checks[3:]] == [
        ("rule1", "event type", True),
        ("rule2", "event type", True),
        ("rule2", "condition", False),
        ("rule1", "leaf", True),
        ("rule2", "leaf", False),
        ("rule3", "leaf", False),
        ("", "rule", False),
    ]
    assert found.states[2].why == "It is the state of alarm other."
    in_alarm = explain(composite, EVENT, NOON, {"x": Referred("other", State.ALARM)})
    assert in_alarm.verdict == "fires: insufficient data → alarm"
    nothing = explain(composite, EVENT._replace(event_type="c"), NOON)
    assert nothing.verdict == "does not fire: the event meets none of its conditions"


# --- words -----------------------------------------------------------------------------------


def test_what_fires_says_from_which_state_to_which() -> None:
    assert explained().verdict == "fires: insufficient data → alarm"
    repeated = explained(state=State.ALARM, repeat_actions=True)
    assert repeated.verdict == "fires again: alarm → alarm"


def test_an_alarm_in_alarm_matches_and_stays_silent() -> None:
    """alarms 11"""
    found = explained(state=State.ALARM)
    assert found.verdict == "matches and stays silent: it is in state alarm already"
    assert "until its state is set to another" in found.checks[1].why


def test_the_verdict_names_all_that_fails() -> None:
    found = explained(
        enabled=False,
        project_id="q",
        rule=a_rule("a.c", a_condition("traits.outcome", "failure"), a_condition("traits.n", "6")),
    )
    assert found.verdict == (
        "does not fire: enabled, project, event type, traits.outcome = failure, traits.n = 6"
    )


@pytest.mark.parametrize(
    ("check", "found", "why"),
    [
        (check_of("traits.outcome", "failure"), "success", "success is not equal to failure."),
        (check_of("traits.outcome", "Success"), "success", "upper and lower case, which counts"),
        (check_of("traits.outcome", "success "), "success", "differ in the blanks around them"),
        (check_of("traits.outcom"), "missing", "no trait 'outcom'. Without it no condition holds,"
         " != included. Did you mean 'outcome'?"),
        (check_of("traits.zzz", op="ne"), "missing", "no trait 'zzz'."),
        (check_of("outcome"), "missing", "no event has another. Did you mean 'traits.outcome'?"),
        (check_of("raw.a.b"), "missing", "kept without its notification (normalise.store_raw)"),
        (check_of("traits.n", "6"), "6", "It is an integer, and a condition of type string"
         " compares texts. With another value no condition holds, != included. Give the condition"
         " the type integer."),
        (check_of("traits.outcome", "5", "ne", "integer"), "success", "It is a text, and a"
         " condition of type integer compares numbers."),
        (check_of("traits.n", "7", "ge", "integer"), "6", "6 is less than 7."),
        (check_of("traits.n", "hello", "ge", "integer"), "6", "It cannot be read, so the alarm"
         " never fires: Unable to convert the value hello to the expected data type integer."),
        (check_of("generated", "2026-01-02T12:00:00", "ne"), "2026-01-02T12:00:00", "is equal to"),
    ],
)  # fmt: skip
def test_a_condition_that_fails_says_what_is_there_and_what_that_means(
    check: Check, found: str, why: str
) -> None:
    """alarms 10"""
    assert not check.holds
    assert check.found.shown == found
    assert why in check.why


@pytest.mark.parametrize(
    ("raw", "kind", "why"),
    [
        ({"a": None}, "null", "It is null. Without it no condition holds, != included."),
        ({"a": {"b": 1}}, "object", "It is an object, and a condition of type string"),
        ({"a": [1]}, "list", "It is a list, and a condition of type string"),
        ({"a": True}, "boolean", "It is a boolean, and a condition of type string"),
        ({"b": 1}, "missing", "The notification has nothing there."),
    ],
)  # fmt: skip
def test_what_is_in_the_notification_is_told_by_its_kind(
    raw: dict[str, Any], kind: str, why: str
) -> None:
    check = check_of("raw.a", event=EVENT._replace(raw=raw))
    assert (check.holds, check.found.kind) == (False, kind)
    assert why in check.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"project_id": "q"}, "The event is another project's"),
        ({"project_id": ""}, "An alarm without a project sees the events that have none"),
    ],
)
def test_an_alarm_that_does_not_see_the_project_says_so(changes: dict[str, Any], why: str) -> None:
    """alarms 9"""
    found = explained(**changes)
    assert found.verdict == "does not fire: project"
    assert why in found.checks[2].why


def test_an_event_without_a_project_says_which_traits_would_tell_it() -> None:
    found = explained(an_event(event_type="a.b"))
    assert "no trait project_id or tenant_id" in found.checks[2].why


def test_a_window_says_since_when_and_until_when() -> None:
    """alarms 4"""
    found = explained(time_constraints=(NIGHT, UNREADABLE))
    time = next(check for check in found.checks if check.about is About.TIME)
    assert time.why.splitlines()[0] == (
        "night: closed since 2026-01-02 02:00:00+01:00, opens 2026-01-02 23:00:00+01:00"
    )
    assert "broken: cannot be read, so the alarm never fires: 'bad' is not" in time.why
    night = explained(time_constraints=(NIGHT,), now=NOON + timedelta(hours=11))
    assert night.fires
    assert (
        "night: open from 2026-01-02 23:00:00+01:00 to 2026-01-03 02:00:00+01:00"
        in night.checks[3].why
    )


def test_the_document_has_each_condition_apart() -> None:
    rule = a_rule("a.b", a_condition("traits.n", "7", "ge", "integer"))
    document = as_dict(explained(rule=rule))
    assert document["checks"][-1] == {
        "rule": None,
        "check": "condition",
        "field": "traits.n",
        "op": "ge",
        "type": "integer",
        "holds": False,
        "wanted": "7",
        "found": 6,
        "found_type": "integer",
        "why": "6 is less than 7.",
    }
    assert (document["fires"], document["previous"], document["current"], document["reason"]) == (
        False,
        "insufficient data",
        "insufficient data",
        None,
    )
    assert as_dict(explained())["reason"].startswith("Event <id=m-1,event_type=a.b> hits")
