"""`tocsin alarm` makes, shows and changes composite alarms as `aodh` does (alarms 5, 27, 30)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.alarms.alarm import COMPOSITE, Reference, State
from pipeline.cli.alarms import alarm
from pipeline.store.sql import SqlStore

from builders import NOON, a_rule, all_of, an_alarm, any_of
from cli.application import Tocsin

RULE = {"and": [{"alarm": "uplink down"}, {"type": "event", "event_type": "standby.failed"}]}


@pytest.fixture
def tocsin(store: SqlStore) -> Tocsin:
    return Tocsin(store, alarm)


def created(tocsin: Tocsin, *options: str) -> dict[str, Any]:
    """Make an alarm; what it is shown as."""
    shown: dict[str, Any] = json.loads(tocsin("alarm", "create", *options, "-f", "json"))
    return shown


def test_a_composite_alarm_is_made_and_shown(tocsin: Tocsin, store: SqlStore) -> None:
    uplink = store.create(an_alarm(name="uplink down"))

    shown = created(
        tocsin, "--name", "no way out", "-t", "composite", "--composite-rule", json.dumps(RULE)
    )

    made = store.get(shown["alarm_id"])
    assert (made.type, made.rule) == (COMPOSITE, all_of(uplink, a_rule("standby.failed")))
    assert made.all_projects
    written = json.dumps(made.rule.as_dict(), indent=2)
    assert (shown["type"], shown["composite_rule"]) == ("composite", written)
    assert "query" not in shown
    assert shown["description"] == "composite alarm rule"
    listed = json.loads(tocsin("alarm", "list", "--filter", "type=composite", "-f", "json"))
    assert [each["name"] for each in listed] == ["no way out"]


def test_the_rule_tells_the_type(tocsin: Tocsin) -> None:
    rule = json.dumps({"or": [{"type": "event"}]})
    assert created(tocsin, "--name", "any", "--composite-rule", rule)["type"] == "composite"


def test_a_rule_is_changed_and_evaluated(tocsin: Tocsin, store: SqlStore) -> None:
    store.create(an_alarm(name="uplink down", state=State.ALARM))
    made = created(tocsin, "--name", "no way out", "--composite-rule", json.dumps(RULE))
    assert made["state"] == "insufficient data"
    rule = json.dumps({"or": RULE["and"]})

    tocsin("alarm", "update", "no way out", "--composite-rule", rule)

    changed = store.get(made["alarm_id"])
    uplink = store.find("uplink down")
    assert changed.rule == any_of(uplink, a_rule("standby.failed"))
    assert changed.state is State.ALARM
    assert "(rule1 or rule2) transition to alarm, due to rules: rule1" in changed.state_reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--composite-rule", "{"), "--composite-rule is no JSON"),
        (("-t", "composite"), "composite_rule must be set for composite type alarm"),
        (("--composite-rule", '{"or": []}'), "Invalid input composite rule"),
        (("--composite-rule", '{"or": [{"alarm": "gone"}]}'), "there is no alarm 'gone'"),
        (
            ("--composite-rule", '{"or": [{"type": "prometheus"}]}'),
            "composite_rule.or.0.type: Rules of type prometheus need a metrics database.",
        ),
        (
            ("--composite-rule", '{"or": [{"type": "event"}]}', "--event-type", "a"),
            "composite_rule and event_rule cannot be set at the same time",
        ),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_made(
    tocsin: Tocsin, store: SqlStore, options: tuple[str, ...], message: str
) -> None:
    result = tocsin.run("alarm", "create", "--name", "x", *options)
    assert (result.exit_code, store.counts().alarms) == (2, 0)
    assert message in result.stderr


def test_deleting_what_is_referred_to_is_refused_with_the_name_of_who_does(
    tocsin: Tocsin, store: SqlStore
) -> None:
    store.create(an_alarm(name="uplink down"))
    created(tocsin, "--name", "no way out", "--composite-rule", json.dumps(RULE))
    result = tocsin.run("alarm", "delete", "uplink down")
    assert result.exit_code == 2
    assert "alarm 'uplink down' is referenced by 'no way out'" in result.stderr
    assert store.counts().alarms == 2


def test_setting_a_state_reaches_who_refers(tocsin: Tocsin, store: SqlStore) -> None:
    uplink = store.create(an_alarm(name="uplink down"))
    rule = json.dumps({"or": [{"alarm": uplink.alarm_id}]})
    created(tocsin, "--name", "out", "--composite-rule", rule, "--ok-action", "log://")
    tocsin("alarm", "state", "set", "uplink down", "--state", "ok")
    assert tocsin("alarm", "state", "get", "out", "-f", "value") == "ok\n"
    (delivery,) = store.deliveries(alarm_id=store.find("out").alarm_id)
    assert delivery.action == "log://"


def test_a_file_may_have_alarms_that_refer_to_each_other(
    tocsin: Tocsin, store: SqlStore, tmp_path: Any
) -> None:
    path = tmp_path / "alarms.yaml"
    path.write_text(
        "alarms:\n"
        "  - {name: top, type: composite, composite_rule: {or: [{alarm: leaf}]}}\n"
        "  - {name: leaf, type: event, event_rule: {event_type: a}}\n"
    )
    tocsin("alarm", "create", "--file", str(path))
    top = store.find("top")
    assert top.rule.as_dict() == {"or": [{"alarm": store.find("leaf").alarm_id}]}
    assert top.timestamp >= NOON


def test_a_reference_by_id_stays_when_the_alarm_is_renamed(
    tocsin: Tocsin, store: SqlStore
) -> None:
    uplink = store.create(an_alarm(name="uplink down"))
    made = created(tocsin, "--name", "out", "--composite-rule", json.dumps(RULE))
    tocsin("alarm", "update", "uplink down", "--name", "other")
    rule = store.get(made["alarm_id"]).rule
    assert rule.as_dict()["and"][0] == {"alarm": uplink.alarm_id}
    assert Reference(uplink.alarm_id) in rule.leaves  # type: ignore[union-attr]
