"""Alarms as clients write them: Aodh's names, defaults and errors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pipeline.alarms.alarm import Alarm, Condition, EventRule, Severity, State
from pipeline.alarms.files import load_alarms
from pipeline.alarms.schema import InvalidAlarm, as_dict, load_alarm, update_alarm
from pipeline.errors import ConfigError, InvalidValue
from pipeline.masking import mask_url

from builders import NOON, an_alarm

SCHEMES = ("http", "https", "log", "test")
LATER = NOON + timedelta(hours=1)
LEAST: dict[str, Any] = {"name": "n", "type": "event", "event_rule": {}}


def check_action(action: str) -> None:
    """Refuse what is none of a few schemes, as targets do."""
    if not action.startswith(tuple(f"{scheme}:" for scheme in SCHEMES)):
        raise InvalidValue(f"Unsupported action {mask_url(action)}.")


def loaded(max_actions: int = -1, **changes: Any) -> Alarm:
    return load_alarm(
        {**LEAST, **changes},
        alarm_id="id-1",
        now=NOON,
        check_action=check_action,
        max_actions=max_actions,
    )


def problems(max_actions: int = -1, **changes: Any) -> dict[str, str]:
    with pytest.raises(InvalidAlarm) as refused:
        loaded(max_actions, **changes)
    return dict(refused.value.problems)


def a_query(**changes: Any) -> dict[str, Any]:
    condition = {"field": "traits.a", "value": "x", **changes}
    return {"event_type": "a.*", "query": [condition]}


def test_what_is_not_given_has_aodhs_default() -> None:
    """alarms 1, 3"""
    assert loaded() == Alarm(
        alarm_id="id-1",
        name="n",
        rule=EventRule("*", ()),
        description="Alarm when * event occurred.",
        timestamp=NOON,
        state_timestamp=NOON,
        enabled=True,
        state=State.INSUFFICIENT_DATA,
        state_reason="Not evaluated yet",
        severity=Severity.LOW,
    )


def test_the_json_form_comes_back_as_it_was() -> None:
    """alarms 1"""
    wire = {
        **LEAST,
        "description": "d",
        "enabled": False,
        "severity": "critical",
        "state": "ok",
        "ok_actions": ["log://"],
        "alarm_actions": ["https://user:secret@host/path?token=abc"],
        "insufficient_data_actions": [],
        "repeat_actions": True,
        "project_id": "p",
        "user_id": "u",
        "all_projects": True,
        "time_constraints": [
            {
                "name": "night",
                "description": "at night",
                "start": "0 23 * * *",
                "duration": 10800,
                "timezone": "Europe/Ljubljana",
            }
        ],
        "event_rule": a_query(op="ne", type="string"),
    }
    alarm = loaded(**wire)
    shown = as_dict(alarm)
    assert {key: shown[key] for key in wire} == wire
    assert shown["timestamp"] == "2026-01-02T12:00:00"
    assert load_alarm(shown, alarm_id="id-1", now=NOON, check_action=check_action) == alarm


def test_null_is_as_good_as_no_value() -> None:
    assert loaded(description=None, ok_actions=None, severity=None, state=None) == loaded()


def test_a_condition_has_aodhs_defaults_and_keeps_its_value_as_text() -> None:
    """alarms 3"""
    assert loaded(event_rule=a_query()).rule.query == (Condition("traits.a", "eq", "x", ""),)


@pytest.mark.parametrize(
    ("value", "type", "text", "meant"),
    [
        (5, "integer", "5", "integer"),
        (5, "", "5", "integer"),
        (5.5, "", "5.5", "float"),
        (True, "", "true", "boolean"),
        (True, "string", "True", "string"),
        ("5", "", "5", ""),
        (NOON, "", "2026-01-02T12:00:00+00:00", "datetime"),
    ],
)
def test_a_value_that_is_no_text_brings_its_type_along(
    value: Any, type: str, text: str, meant: str
) -> None:
    """YAML and JSON have numbers; Aodh knows text and a type."""
    (condition,) = loaded(event_rule=a_query(value=value, type=type)).rule.query
    assert (condition.value, condition.type) == (text, meant)


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"name": None}, "name", "Mandatory field missing."),
        ({"type": None}, "type", "Mandatory field missing."),
        ({"event_rule": None}, "event_rule", "event_rule must be set for event type alarm"),
        ({"colour": 1}, "colour", "Unknown attribute: colour."),
        ({"severty": "low"}, "severty", "Unknown attribute: severty. Did you mean 'severity'?"),
        (
            {"type": "prometheus", "prometheus_rule": {}},
            "type",
            "Alarms of type prometheus need a metrics database."
            " Supported types: event, composite.",
        ),
        (
            {"composite_rule": {"or": []}},
            "composite_rule",
            "event_rule and composite_rule cannot be set at the same time",
        ),
        (
            {"severity": "high"},
            "severity",
            "Invalid input for field/attribute severity. Value: 'high'."
            " Use one of low, moderate, critical.",
        ),
        (
            {"state": "okay"},
            "state",
            "Invalid input for field/attribute state. Value: 'okay'."
            " Use one of ok, alarm, insufficient data. Did you mean 'ok'?",
        ),
        (
            {"alarm_actions": ["ftp://u:secret@h/"]},
            "alarm_actions",
            "Unsupported action ftp://u:***@h/.",
        ),
        ({"ok_actions": "log://"}, "ok_actions", "Not a valid list."),
        (
            {"event_rule": a_query(type="integer", value="hello")},
            "event_rule.query.0.value",
            "Unable to convert the value hello to the expected data type integer.",
        ),
        (
            {"event_rule": a_query(field="traits.a b")},
            "event_rule.query.0.field",
            "Query value or traits invalid: field 'traits.a b' may have letters, digits"
            " and . ' , _ - only.",
        ),
        (
            {"event_rule": a_query(field="traits.a\n")},
            "event_rule.query.0.field",
            "Query value or traits invalid: field 'traits.a\\n' may have letters, digits"
            " and . ' , _ - only.",
        ),
        (
            {"event_rule": a_query(value=[1])},
            "event_rule.query.0.value",
            "A text, a number or a boolean is needed here.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_aodhs_words(
    changes: dict[str, Any], path: str, message: str
) -> None:
    """alarms 2, 3, 6, 7, 8"""
    found = problems(**changes)
    assert path in found
    assert found[path].startswith(message.split(" Did you mean")[0])


@pytest.mark.parametrize("type", ["", "string", "integer", "float", "boolean", "datetime"])
def test_every_type_is_accepted(type: str) -> None:
    """alarms 3: datetime is accepted, where Aodh's API refuses it."""
    value = "2026-01-01" if type == "datetime" else "1"
    assert loaded(event_rule=a_query(type=type, value=value)).rule.query[0].type == type


def a_constraint(**changes: Any) -> dict[str, Any]:
    return {"name": "c", "start": "0 23 * * *", "duration": 60, **changes}


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"start": "bad"}, "start", "'bad' is not a cron expression"),
        ({"start": "0 0 30 2 *"}, "start", "'0 0 30 2 *' is not a cron expression"),
        ({"timezone": "Nowhere/City"}, "timezone", "Timezone Nowhere/City is not valid"),
        ({"timezone": "../etc"}, "timezone", "Timezone ../etc is not valid"),
        ({"duration": -1}, "duration", "Value should be greater or equal to 0."),
        ({"duration": None}, "duration", "Mandatory field missing."),
    ],
)
def test_a_bad_time_constraint_is_refused(
    changes: dict[str, Any], field: str, message: str
) -> None:
    """alarms 4"""
    found = problems(time_constraints=[a_constraint(**changes)])
    assert found[f"time_constraints.0.{field}"].startswith(message)


def test_time_constraints_have_names_of_their_own() -> None:
    """alarms 4"""
    found = problems(time_constraints=[a_constraint(), a_constraint()])
    assert found == {"time_constraints": "Time constraint names must be unique for a given alarm."}


def test_a_time_constraint_describes_itself() -> None:
    (constraint,) = loaded(time_constraints=[a_constraint()]).time_constraints
    assert constraint.description == "Time constraint at 0 23 * * * lasting for 60 seconds"


def test_duplicate_actions_are_removed_and_the_rest_counted() -> None:
    """alarms 8"""
    actions = ["http://a/", "log://", "http://a/"]
    assert loaded(alarm_actions=actions, max_actions=2).alarm_actions == ("http://a/", "log://")
    found = problems(alarm_actions=actions, max_actions=1)
    assert found == {"alarm_actions": "alarm_actions count exceeds maximum value 1"}


def test_all_problems_are_found_at_once() -> None:
    found = problems(name=None, colour=1, alarm_actions=["ftp://x"], event_rule=a_query(op="is"))
    assert set(found) == {"name", "colour", "alarm_actions", "event_rule.query.0.op"}


@pytest.mark.parametrize("data", [None, [], "alarm", 5])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(InvalidAlarm, match="An alarm is an object"):
        load_alarm(data, alarm_id="id-1", now=NOON, check_action=check_action)


def test_a_partial_change_keeps_the_rest() -> None:
    alarm = an_alarm(
        rule=EventRule("a.*", (Condition("traits.a", "eq", "x"),)), revision=7, severity="low"
    )
    alarm = load_alarm(as_dict(an_alarm()), alarm_id="id-1", now=NOON, check_action=check_action)
    changed = update_alarm(
        alarm,
        {"severity": "critical", "event_rule": {"query": [{"field": "traits.b", "value": "y"}]}},
        now=LATER,
        check_action=check_action,
    )
    assert changed.severity is Severity.CRITICAL
    assert changed.rule.event_type == alarm.rule.event_type
    assert changed.rule.query == (Condition("traits.b", "eq", "y"),)
    assert (changed.alarm_id, changed.alarm_actions) == ("id-1", alarm.alarm_actions)
    assert (changed.timestamp, changed.state_timestamp) == (LATER, NOON)


def test_a_state_that_is_changed_by_hand_says_so() -> None:
    alarm = loaded()
    changed = update_alarm(alarm, {"state": "ok"}, now=LATER, check_action=check_action)
    assert changed.state is State.OK
    assert changed.state_reason == "Manually set via API"
    assert changed.state_timestamp == LATER


def test_secrets_are_masked_on_demand_and_survive_being_given_back() -> None:
    """alarms 8: secrets inside action URLs are scrubbed on read."""
    alarm = loaded(alarm_actions=["https://user:secret@host/?token=abc"])
    shown = as_dict(alarm, mask=True)
    assert shown["alarm_actions"] == ["https://user:***@host/?token=***"]
    back = update_alarm(alarm, {**shown, "name": "new"}, now=LATER, check_action=check_action)
    assert back.alarm_actions == ("https://user:secret@host/?token=abc",)
    assert back.name == "new"


HOOKS = ("https://h/?token=one", "https://h/?token=two")
SHOWN = "https://h/?token=***"


def test_actions_that_are_shown_alike_are_each_kept_when_they_are_given_back() -> None:
    """They differ in nothing but their secrets."""
    alarm = loaded(alarm_actions=[*HOOKS, "log://"], ok_actions=[HOOKS[1]])
    given = {**as_dict(alarm, mask=True), "alarm_actions": [SHOWN, "http://i/", SHOWN]}

    back = update_alarm(alarm, given, now=LATER, check_action=check_action)

    assert back.alarm_actions == (HOOKS[0], "http://i/", HOOKS[1])
    assert back.ok_actions == (HOOKS[1],)


def test_an_action_that_is_shown_elsewhere_may_be_given_masked() -> None:
    alarm = loaded(alarm_actions=[HOOKS[0]])

    back = update_alarm(alarm, {"ok_actions": [SHOWN]}, now=LATER, check_action=check_action)

    assert back.ok_actions == (HOOKS[0],)


def test_an_action_whose_secret_was_masked_elsewhere_is_refused() -> None:
    """As one that is copied from a list into a new alarm."""
    with pytest.raises(InvalidAlarm, match=r"token=\*\*\*: the secret is missing"):
        loaded(alarm_actions=[SHOWN])


def test_one_of_two_actions_that_are_shown_alike_is_not_guessed() -> None:
    alarm = loaded(alarm_actions=HOOKS)

    with pytest.raises(InvalidAlarm) as caught:
        update_alarm(alarm, {"alarm_actions": [SHOWN]}, now=LATER, check_action=check_action)

    assert caught.value.problems == (
        (
            "alarm_actions",
            f"2 actions are shown as {SHOWN}. Give all of them, or with its secret the one that"
            " is meant.",
        ),
    )


def test_an_alarm_file_is_read_in_its_order() -> None:
    text = """
    alarms:
      - {name: one, type: event, event_rule: {event_type: a}}
      - name: two
        type: event
        event_rule: {query: [{field: traits.n, op: ge, value: 400}]}
    """
    ids = iter(["id-1", "id-2"])
    alarms = load_alarms(
        text, "alarms.yaml", new_id=lambda: next(ids), now=NOON, check_action=check_action
    )
    assert [(a.alarm_id, a.name) for a in alarms] == [("id-1", "one"), ("id-2", "two")]
    assert alarms[1].rule.query == (Condition("traits.n", "ge", "400", "integer"),)


def test_an_alarm_file_is_refused_whole_with_the_place_of_each_problem() -> None:
    text = "alarms:\n  - name: one\n    type: evnt\n  - {name: two, type: event}\nalarm: []\n"
    with pytest.raises(ConfigError) as refused:
        load_alarms(text, "alarms.yaml", new_id=lambda: "id", now=NOON, check_action=check_action)
    assert [str(problem) for problem in refused.value.problems] == [
        "alarms.yaml:3:11 alarms[0].type: Invalid input for field/attribute type. Value: 'evnt'."
        " Use one of event, composite. Did you mean 'event'?",
        "alarms.yaml:4:5 alarms[1].event_rule: event_rule must be set for event type alarm",
        "alarms.yaml:5:1 alarm: unknown key. Did you mean 'alarms'?",
    ]


@pytest.mark.parametrize("text", ["", "[]", "alarms: 5", "alarms:"])
def test_a_file_without_a_list_of_alarms_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="list of alarms under 'alarms'"):
        load_alarms(text, "a.yaml", new_id=lambda: "id", now=NOON, check_action=check_action)
