"""What one event does to one alarm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.alarms.alarm import Alarm, State, TimeConstraint
from pipeline.alarms.evaluator import decide
from pipeline.alarms.schedule import latest_start, within
from pipeline.errors import InvalidValue

from builders import NOON, a_condition, a_rule, an_alarm, an_event


def a_watching_alarm(**changes: Any) -> Alarm:
    rule = a_rule("a.b", a_condition("traits.n", "5", "ge", "integer"))
    return an_alarm(**{"rule": rule, "project_id": "p", **changes})


EVENT = an_event(event_type="a.b", message_id="m-1", n=6, project_id="p")


@pytest.mark.parametrize("previous", [State.OK, State.INSUFFICIENT_DATA])
def test_a_match_moves_the_alarm_to_alarm(previous: State) -> None:
    """alarms 11"""
    alarm = a_watching_alarm(state=previous)
    transition = decide(alarm, EVENT, NOON)
    assert transition is not None
    assert (transition.previous, transition.current) == (previous, State.ALARM)
    assert (transition.alarm, transition.event, transition.at) == (alarm, EVENT, NOON)


def test_the_reason_is_aodhs_to_the_character() -> None:
    """alarms 12"""
    transition = decide(a_watching_alarm(), EVENT, NOON)
    assert transition is not None
    assert transition.reason == (
        "Event <id=m-1,event_type=a.b> hits the query <query="
        '[{"field": "traits.n", "op": "ge", "type": "integer", "value": "5"}]>.'
    )
    assert transition.reason_data == {"type": "event", "event": EVENT.as_dict()}


def test_an_empty_query_is_an_empty_list_in_the_reason() -> None:
    """alarms 12"""
    transition = decide(a_watching_alarm(rule=a_rule("a.*")), EVENT, NOON)
    assert transition is not None
    assert transition.reason == "Event <id=m-1,event_type=a.b> hits the query <query=[]>."


def test_an_alarm_that_fired_is_silent_until_its_state_is_set_back() -> None:
    """alarms 11"""
    assert decide(a_watching_alarm(state=State.ALARM), EVENT, NOON) is None


def test_with_repeat_actions_every_match_fires() -> None:
    """alarms 11"""
    alarm = a_watching_alarm(state=State.ALARM, repeat_actions=True)
    transition = decide(alarm, EVENT, NOON)
    assert transition is not None
    assert (transition.previous, transition.current) == (State.ALARM, State.ALARM)


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"project_id": "q"},
        {"project_id": ""},
        {"rule": a_rule("a.c")},
        {"rule": a_rule("a.b", a_condition("traits.n", "7", "ge", "integer"))},
        {"rule": a_rule("a.b", a_condition("traits.n", "hello", "ge", "integer"))},
    ],
)
def test_an_alarm_that_does_not_apply_does_not_fire(changes: dict[str, Any]) -> None:
    """alarms 9, 10; the alarm as it now stands counts, and a broken one harms nobody."""
    assert decide(a_watching_alarm(**changes), EVENT, NOON) is None


def test_an_alarm_for_all_projects_sees_every_event() -> None:
    """alarms 9"""
    alarm = a_watching_alarm(all_projects=True)
    assert decide(alarm, EVENT, NOON) is not None
    assert decide(alarm, an_event(event_type="a.b", n=6), NOON) is not None


def test_events_without_a_project_reach_the_alarms_without_one() -> None:
    """alarms 9"""
    event = an_event(event_type="a.b", n=6)
    assert decide(a_watching_alarm(project_id=""), event, NOON) is not None
    assert decide(a_watching_alarm(), event, NOON) is None


NIGHT = TimeConstraint("night", "0 23 * * *", 3 * 3600, "Europe/Ljubljana")


@pytest.mark.parametrize(
    ("utc", "fires"),
    [
        ("2026-01-02T21:59:59.999999", False),
        ("2026-01-02T22:00:00", True),
        ("2026-01-03T00:30:00", True),
        ("2026-01-03T01:00:00", True),
        ("2026-01-03T01:00:00.000001", False),
        ("2026-07-02T20:59:59", False),
        ("2026-07-02T21:00:00", True),
    ],
)
def test_time_constraints_hold(utc: str, fires: bool) -> None:
    """alarms 4: they hold for event alarms, in the constraint's time zone."""
    now = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    alarm = a_watching_alarm(time_constraints=(NIGHT,))
    assert (decide(alarm, EVENT, now) is not None) is fires


def test_one_open_window_is_enough() -> None:
    """alarms 4, as in Aodh."""
    noon = TimeConstraint("noon", "0 12 * * *", 60)
    assert within((NIGHT, noon), NOON)
    assert not within((NIGHT, noon), NOON + timedelta(minutes=2))
    assert within((), NOON)


def test_a_window_is_as_long_as_it_says_when_the_clocks_change() -> None:
    """On 29 March 2026 the hour from 2 to 3 does not exist in Ljubljana."""
    early = TimeConstraint("early", "0 1 * * *", 2 * 3600, "Europe/Ljubljana")
    assert within((early,), datetime(2026, 3, 29, 2, 0, tzinfo=UTC))
    assert not within((early,), datetime(2026, 3, 29, 2, 1, tzinfo=UTC))


def test_a_constraint_that_cannot_be_read_keeps_the_alarm_silent() -> None:
    """alarms 10: a broken alarm never affects another."""
    broken = TimeConstraint("x", "bad", 60)
    assert decide(a_watching_alarm(time_constraints=(broken,)), EVENT, NOON) is None
    with pytest.raises(InvalidValue, match="'bad' is not a cron expression"):
        latest_start("bad", NOON)
