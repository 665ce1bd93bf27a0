"""Composite rules as clients write them (alarms 5, 6, 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.alarms.alarm import Alarm, Reference
from pipeline.alarms.schema import InvalidAlarm, as_dict, load_alarm, update_alarm

from builders import NOON, a_condition, a_rule, all_of, any_of


def check_action(action: str) -> None:
    """Every action is as good as another here."""


def load(data: dict[str, Any]) -> Alarm:
    return load_alarm(data, alarm_id="id-1", now=NOON, check_action=check_action)


LEAF = {"type": "event", "event_type": "a", "query": [{"field": "traits.n", "value": 5}]}


def a_composite(rule: Any, **changes: Any) -> dict[str, Any]:
    return {"name": "one", "type": "composite", "composite_rule": rule, **changes}


def test_a_composite_rule_is_nested_and_its_leaves_are_events_and_alarms() -> None:
    """alarms 5"""
    rule = {"and": [LEAF, {"or": [{"alarm": "disk full"}, {"type": "event"}]}]}
    alarm = load(a_composite(rule))
    five = a_condition("traits.n", "5", type="integer")
    assert alarm.rule == all_of(a_rule("a", five), any_of(Reference("disk full"), a_rule("*")))
    assert alarm.description == "composite alarm rule"
    written = as_dict(alarm)["composite_rule"]
    assert written["and"][1] == {
        "or": [{"alarm": "disk full"}, {"type": "event", "event_type": "*", "query": []}]
    }
    assert load(a_composite(written)).rule == alarm.rule


INVALID = "Invalid input composite rule: "


@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        (None, "composite_rule", "composite_rule must be set for composite type alarm"),
        ([], "composite_rule", INVALID),
        ({}, "composite_rule", 'Threshold rules should be combined with "and" or "or"'),
        (LEAF, "composite_rule", 'Threshold rules should be combined with "and" or "or"'),
        ({"or": []}, "composite_rule", INVALID),
        ({"or": LEAF}, "composite_rule", INVALID),
        ({"or": ["x"]}, "composite_rule.or.0", INVALID),
        (
            {"or": [{"nor": [LEAF]}]},
            "composite_rule.or.0",
            'Threshold rules should be combined with "and" or "or"',
        ),
        (
            {"or": [LEAF, {"event_type": "a", "query": []}]},
            "composite_rule.or.1",
            "type must be set in every rule",
        ),
        (
            {"or": [{"and": [{"type": "gnocchi_resources_threshold", "threshold": 1}]}]},
            "composite_rule.or.0.and.0.type",
            "Rules of type gnocchi_resources_threshold need a metrics database."
            " Supported types: event.",
        ),
        (
            {"or": [{"type": "nonsense"}]},
            "composite_rule.or.0.type",
            "Unsupported sub-rule type :nonsense in composite rule, should be one of: ['event']",
        ),
        (
            {
                "or": [
                    {"type": "event", "query": [{"field": "a", "value": "x", "type": "integer"}]}
                ]
            },
            "composite_rule.or.0.query.0.value",
            "Unable to convert the value x to the expected data type integer.",
        ),
        (
            {"or": [{"type": "event", "threshold": 3}]},
            "composite_rule.or.0.threshold",
            "Unknown attribute: threshold.",
        ),
        ({"or": [{"alarm": 5}]}, "composite_rule.or.0.alarm", "The id or the name of an alarm"),
        (
            {"or": [{"alarm": "a", "query": []}]},
            "composite_rule.or.0.alarm",
            "A reference has nothing but an alarm, not query.",
        ),
        ({"or": [LEAF] * 201}, "composite_rule", "A composite rule may have 200 rules at most."),
    ],
)
def test_what_is_wrong_with_a_composite_rule_is_said_with_its_place(
    rule: Any, path: str, message: str
) -> None:
    """alarms 5, 6; the words are Aodh's where it has some"""
    with pytest.raises(InvalidAlarm) as refused:
        load(a_composite(rule))
    ((found, text),) = refused.value.problems
    assert found == path
    assert text.startswith(message)


def test_a_composite_rule_may_not_be_nested_without_end() -> None:
    rule: Any = {"or": [LEAF]}
    for _ in range(9):
        rule = {"and": [rule]}
    assert load(a_composite(rule)).rule.references == ()
    for deeper in ({"and": [rule]}, json.loads('{"or": [' * 400 + "]}" * 400)):
        with pytest.raises(InvalidAlarm, match=r"nested 10 deep at most"):
            load(a_composite(deeper))


def test_an_alarm_has_the_rule_of_its_type_alone() -> None:
    both = a_composite({"or": [LEAF]}, event_rule={"event_type": "a"})
    with pytest.raises(InvalidAlarm, match="composite_rule and event_rule cannot be set"):
        load(both)


def test_an_update_may_give_an_alarm_another_type_and_rule() -> None:
    event = load({"name": "one", "type": "event", "event_rule": {"event_type": "a"}})
    changes = {"type": "composite", "composite_rule": {"or": [LEAF]}}
    changed = update_alarm(event, changes, now=NOON, check_action=check_action)
    assert changed.rule.as_dict()["or"][0]["event_type"] == "a"
    back = {"type": "event", "event_rule": {"event_type": "b"}}
    again = update_alarm(changed, back, now=NOON, check_action=check_action)
    assert again.rule == a_rule("b")
