"""On which of many events alarms would have fired, and what kept them silent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.alarms.alarm import Alarm, CompositeRule, EventRule, State, TimeConstraint
from pipeline.alarms.composites import Composites, Evaluation, Referred
from pipeline.alarms.conditions import check
from pipeline.alarms.evaluator import decide
from pipeline.alarms.explaining import explain, named
from pipeline.alarms.live import LiveAlarms
from pipeline.alarms.trying import Result, Trial, as_dict
from pipeline.errors import InvalidValue
from pipeline.event import Event

from alarms.test_explaining import ALWAYS, NIGHT, composites
from alarms.test_index_property import PROJECTS, RULES, events
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


def tried(alarms: list[Alarm], stream: list[Event], newest: int = 10) -> list[Result]:
    trial = Trial(alarms, newest)
    for event in stream:
        trial.look(event)
    return trial.results()


@st.composite
def usable_alarms(draw: st.DrawFn) -> Alarm:
    project = draw(PROJECTS)
    return an_alarm(
        rule=draw(RULES),
        enabled=draw(st.sampled_from([True, True, True, False])),
        state=draw(st.sampled_from(list(State))),
        repeat_actions=draw(st.booleans()),
        project_id=project or "",
        all_projects=project is None,
        time_constraints=draw(st.lists(st.sampled_from([ALWAYS, NIGHT]), max_size=2).map(tuple)),
    )


@settings(max_examples=300)
@given(
    st.lists(usable_alarms(), min_size=1, max_size=6),
    st.lists(events(), max_size=12),
    st.integers(0, 3),
)
def test_many_events_give_what_the_evaluator_says_of_each(
    alarms: list[Alarm], stream: list[Event], newest: int
) -> None:
    for alarm, result in zip(alarms, tried(alarms, stream, newest), strict=True):
        present, matching, firing = alarm, [], 0
        for event in stream:
            fresh = replace(alarm, state=State.INSUFFICIENT_DATA)
            if decide(fresh, event, event.generated):
                matching.append(event)
            if transition := decide(present, event, event.generated):
                firing += 1
                present = replace(present, state=transition.current)
        assert (result.alarm, result.matches, result.firings) == (alarm, len(matching), firing)
        times = sorted(event.generated for event in matching)
        assert (result.first, result.last) == ((times[0], times[-1]) if times else (None, None))
        assert [m.generated for m in result.newest] == times[::-1][:newest]
        assert bool(result.silent) is not bool(matching)
        json.dumps(as_dict(result), allow_nan=False)


@settings(max_examples=300)
@given(usable_alarms(), st.lists(events(), max_size=12))
def test_what_failed_is_what_explanations_say_failed(alarm: Alarm, stream: list[Event]) -> None:
    alarm = replace(alarm, state=State.OK)
    (result,) = tried([alarm], stream)
    if result.matches:
        assert result.failing == ()
        return
    of_type = [e for e in (explain(alarm, event, event.generated) for event in stream)
               if e.leaves[0].checks[0].holds]  # fmt: skip
    assert result.of_type == len(of_type)
    for failing in result.failing:
        checks = [[c for c in e.checks if named(c) == failing.check] for e in of_type]
        # Time is asked of what meets all the rest.
        if failing.check != "time constraints":
            assert failing.failed == sum(any(not c.holds for c in each) for each in checks)
        assert failing.of == len(of_type)
        assert failing.why


@settings(max_examples=300)
@given(
    st.tuples(usable_alarms(), usable_alarms()),
    st.lists(composites(), min_size=1, max_size=3),
    st.lists(events(), max_size=8),
)
def test_composite_alarms_fire_as_they_do_in_a_worker(
    pair: tuple[Alarm, Alarm], rules: list[Alarm], stream: list[Event]
) -> None:
    """alarms 5: each event in turn, with the alarms that are referred to."""
    x, y = (replace(alarm, alarm_id=name) for alarm, name in zip(pair, "xy", strict=True))
    usable = [replace(a, time_constraints=(ALWAYS,)) for a in rules if is_usable(a)]
    alarms = {alarm.alarm_id: alarm for alarm in (x, y, *usable)}
    firings = dict.fromkeys(alarms, 0)
    for event in stream:
        at, live = event.generated, LiveAlarms()
        live.load(1, alarms.values())
        pairs = live.candidates([event])
        made = [t for key, _ in pairs if isinstance(alarms[key].rule, EventRule)
                if (t := decide(alarms[key], event, at))]  # fmt: skip
        referred = {key: Referred(key, alarms[key].state) for key in "xy"}
        of_rules = {key: a for key, a in alarms.items() if not isinstance(a.rule, EventRule)}
        evaluation = Evaluation(Composites(of_rules, referred), at)
        of_pairs = [pair for pair in pairs if pair[0] in of_rules]
        met = [key for key, _ in of_pairs]
        changed = {t.alarm.alarm_id: t.current for t in made}
        made += evaluation.happens(event, met=met, changed=changed)
        alarms.update(evaluation.alarms)
        for transition in made:
            key = transition.alarm.alarm_id
            firings[key] += 1
            alarms[key] = replace(alarms[key], state=transition.current)
    found = tried([x, y, *usable], stream)
    assert {result.alarm.alarm_id: result.firings for result in found} == firings
    assert all(result.silent for result in found if not result.matches)


def is_usable(alarm: Alarm) -> bool:
    try:
        for rule in alarm.rule.event_rules if isinstance(alarm.rule, CompositeRule) else ():
            check(rule)
    except InvalidValue:
        return False
    return True


def test_composite_alarms_are_tried_together_with_what_they_refer_to() -> None:
    """alarms 5"""
    failed = an_alarm(name="failed", rule=LOGIN)
    deleted = a_rule("identity.user.deleted")
    both = a_composite(all_of(deleted, failed), name="both")
    stream = [an_event(), a_login("success", 1), a_login("failure", 2)]
    _, together = tried([failed, both], stream)
    assert (together.of_type, together.matches, together.firings) == (1, 2, 1)
    assert [match.fires for match in together.newest] == [True, False]
    trial = Trial([both], 10, referred={failed.alarm_id: Referred("failed", State.ALARM)})
    trial.look(an_event())
    assert trial.results()[0].firings == 1
    (nothing,) = tried([a_composite(any_of(LOGIN, deleted))], [a_login("success")])
    assert nothing.silent == (
        "rule1 failed on 1 of 1 events of this type. traits.outcome = failure: success is not"
        " equal to failure.\nrule2 failed on 1 of 1 events of this type. event type: The event is"
        " of another type. * stands for any letters, ? for any one."
    )


LOGIN = a_rule("identity.authenticate", a_condition("traits.outcome", "failure"))


def a_login(outcome: str, minutes: int = 0, **traits: Any) -> Event:
    at = NOON + timedelta(minutes=minutes)
    return an_event(event_type="identity.authenticate", generated=at, outcome=outcome, **traits)


def test_without_repeat_actions_it_fires_on_the_first_match_alone() -> None:
    """alarms 11"""
    stream = [a_login("failure", 0), a_login("success", 1), a_login("failure", 2)]
    once, always = (an_alarm(rule=LOGIN, repeat_actions=repeat) for repeat in (False, True))
    first, second = tried([once, always], stream)
    assert (first.of_type, first.matches, first.firings) == (3, 2, 1)
    assert [match.fires for match in first.newest] == [False, True]
    assert (second.matches, second.firings) == (2, 2)


def test_no_match_says_what_failed_most_and_why() -> None:
    rule = a_rule("identity.*", a_condition("traits.outcom", "failure"), *LOGIN.query)
    bare = an_event(event_type="identity.authenticate")
    stream = [bare, a_login("success"), a_login("failure")]
    (result,) = tried([an_alarm(rule=rule)], stream)
    assert [str(each) for each in result.failing] == [
        "traits.outcom = failure failed on 3 of 3 events of this type",
        "traits.outcome = failure failed on 2 of 3 events of this type",
    ]
    assert result.silent == (
        "traits.outcom = failure failed on 3 of 3 events of this type. The event has no trait"
        " 'outcom'. Without it no condition holds, != included. Did you mean 'outcome'?"
    )


def test_what_has_no_event_of_its_type_is_told_the_nearest() -> None:
    (result,) = tried([an_alarm(rule=a_rule("identity.authentcate"))], [a_login("failure")])
    assert result.silent == (
        "There was no event of type identity.authentcate. Did you mean 'identity.authenticate'?"
    )


def test_what_is_disabled_or_not_in_time_or_of_another_project_says_so() -> None:
    noon = TimeConstraint("evening", "0 20 * * *", 60)
    alarms = [
        an_alarm(rule=LOGIN, enabled=False),
        an_alarm(rule=LOGIN, time_constraints=(noon,)),
        an_alarm(rule=LOGIN, project_id="p"),
    ]
    silent = [result.silent for result in tried(alarms, [a_login("failure")])]
    assert [text.partition(" failed on 1 of 1 ")[0] for text in silent] == [
        "enabled",
        "time constraints",
        "project",
    ]
    assert "evening: closed since 2026-01-01 20:01:00+00:00" in silent[1]


def test_an_alarm_that_is_silent_already_matches_and_does_not_fire() -> None:
    (result,) = tried([an_alarm(rule=LOGIN, state=State.ALARM)], [a_login("failure")])
    assert (result.matches, result.firings, result.silent) == (1, 0, "")


def test_the_newest_are_kept_whatever_the_order() -> None:
    stream = [a_login("failure", minutes) for minutes in (5, 1, 9, 3)]
    (result,) = tried([an_alarm(rule=LOGIN)], stream, newest=2)
    assert [match.generated.minute for match in result.newest] == [9, 5]
