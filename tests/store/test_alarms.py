"""What people do to alarms, and what is remembered of it (alarms 1, 22, 29)."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline.alarms.alarm import Alarm, Severity, State, TimeConstraint
from pipeline.errors import Ambiguous, InvalidValue, NotFound
from pipeline.store.sql import SqlStore

from builders import NOON, a_caller, a_condition, a_rule, an_alarm
from store.storing import Clock, fire

EVERY_FIELD = {
    "name": "ünïcödé",
    "rule": a_rule(
        "compute.*",
        a_condition("host", "a"),
        a_condition("size", 2**70, op="gt", type="integer"),
        a_condition("load", 0.1, op="le", type="float"),
        a_condition("up", True, type="boolean"),
    ),
    "description": "all that an alarm can have",
    "timestamp": NOON,
    "state_timestamp": NOON - timedelta(days=1),
    "enabled": False,
    "state": State.OK,
    "state_reason": "why not",
    "severity": Severity.MODERATE,
    "ok_actions": ("https://ok.example/",),
    "alarm_actions": ("https://user:password@alarm.example/", "log://"),
    "insufficient_data_actions": ("test://",),
    "repeat_actions": True,
    "time_constraints": (TimeConstraint("night", "0 23 * * *", 3600, "Europe/Vienna", "dark"),),
    "project_id": "p-1",
    "user_id": "u-1",
    "all_projects": True,
    "guarded": True,
    "evaluate_timestamp": NOON + timedelta(microseconds=1),
}


def test_every_field_comes_back_as_it_was(store: SqlStore) -> None:
    alarm = an_alarm(**EVERY_FIELD)
    untested = {field.name for field in fields(Alarm)} - EVERY_FIELD.keys()
    assert untested == {"alarm_id", "type", "revision", "leaf_states"}

    created = store.create(alarm)

    assert created == replace(alarm, revision=1)
    assert store.get(alarm.alarm_id) == created


def test_times_come_back_in_utc_whatever_their_zone(store: SqlStore) -> None:
    vienna = timezone(timedelta(hours=1))
    alarm = store.create(an_alarm(timestamp=datetime(2026, 1, 1, 0, 30, tzinfo=vienna)))

    stored = store.get(alarm.alarm_id).timestamp

    assert stored == datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert stored.utcoffset() == timedelta(0)


def test_second_alarm_of_the_same_id_is_refused(store: SqlStore) -> None:
    alarm = store.create(an_alarm())

    with pytest.raises(InvalidValue, match=f"already an alarm with the id {alarm.alarm_id}"):
        store.create(an_alarm(alarm_id=alarm.alarm_id))

    assert store.get(alarm.alarm_id) == alarm


def test_id_that_no_index_takes_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidValue, match="project_id must be at most 255 characters"):
        store.create(an_alarm(project_id="p" * 256))

    assert store.counts().alarms == 0


def test_many_are_created_from_a_generator_in_one_change(store: SqlStore) -> None:
    alarms = [an_alarm(name=f"alarm {number}") for number in range(2_500)]

    assert store.create_many((alarm for alarm in alarms), by=a_caller("u-1")) == 2_500

    counts = store.counts()
    assert (counts.alarms, counts.revision) == (2_500, 1)
    last = alarms[-1]
    assert store.get(last.alarm_id) == replace(last, revision=1)
    assert [entry.type for entry in store.history(last.alarm_id)] == ["creation"]


def test_many_are_created_all_or_none(store: SqlStore) -> None:
    alarms = [an_alarm() for _ in range(1_200)]

    with pytest.raises(InvalidValue, match="one of these ids"):
        store.create_many([*alarms, alarms[0]])

    assert store.counts().alarms == 0
    assert store.counts().revision == 0


def test_unknown_alarm_is_not_found_in_the_words_of_aodh(store: SqlStore) -> None:
    """Alarms 18."""
    for act in (
        lambda: store.get("X"),
        lambda: store.find("X"),
        lambda: store.update(an_alarm(alarm_id="X")),
        lambda: store.delete("X"),
        lambda: store.set_state("X", State.OK, NOON),
    ):
        with pytest.raises(NotFound, match=r"^Alarm X not found$"):
            act()

    assert store.counts().revision == 0


def test_alarm_is_found_by_id_before_name(store: SqlStore) -> None:
    """Alarms 29."""
    one = store.create(an_alarm(name="one"))
    named_like_it = store.create(an_alarm(name=one.alarm_id))

    assert store.find(one.alarm_id) == one
    assert store.find("one") == one
    assert store.find(named_like_it.alarm_id) == named_like_it


def test_ambiguous_name_lists_the_ids(store: SqlStore) -> None:
    """Alarms 29."""
    ids = sorted(store.create(an_alarm(name="twin")).alarm_id for _ in range(2))

    with pytest.raises(Ambiguous) as raised:
        store.find("twin")

    assert str(raised.value) == (
        f"more than one alarm is named 'twin'. Use an id: {ids[0]}, {ids[1]}"
    )


def test_update_replaces_the_definition_and_records_what_changed(store: SqlStore) -> None:
    """Alarms 22: detail holds the changed fields with their new values."""
    alarm = store.create(an_alarm(name="old", project_id="p-1"))
    later = NOON + timedelta(minutes=1)
    changed = replace(alarm, name="new", rule=a_rule("a.*"), timestamp=later)

    updated = store.update(changed, by=a_caller("u-2"))

    assert updated == replace(changed, revision=2)
    assert store.get(alarm.alarm_id) == updated
    entry = store.history(alarm.alarm_id)[0]
    assert (entry.type, entry.user_id, entry.timestamp) == ("rule change", "u-2", later)
    assert json.loads(entry.detail) == {
        "name": "new",
        "rule": {"event_type": "a.*", "query": []},
    }


def test_update_that_changes_nothing_leaves_no_trace(store: SqlStore) -> None:
    """Alarms 22: no record when nothing changed."""
    alarm = store.create(an_alarm())

    same = store.update(replace(alarm, timestamp=NOON + timedelta(minutes=1)))

    assert same == alarm
    assert store.counts().revision == 1
    assert [entry.type for entry in store.history(alarm.alarm_id)] == ["creation"]


def test_update_does_not_undo_a_firing_that_the_caller_has_not_seen(store: SqlStore) -> None:
    read = store.create(an_alarm())
    fire(store, read)

    updated = store.update(replace(read, name="renamed"))

    assert updated.state is State.ALARM
    assert store.get(read.alarm_id).state is State.ALARM


def test_state_set_by_hand_is_recorded(store: SqlStore) -> None:
    alarm = store.create(an_alarm())
    later = NOON + timedelta(minutes=1)

    after = store.set_state(alarm.alarm_id, State.OK, later, by=a_caller("u-1"))

    assert (after.state, after.state_timestamp) == (State.OK, later)
    assert after.state_reason == "Manually set via API"
    assert store.get(alarm.alarm_id) == after
    entry = store.history(alarm.alarm_id)[0]
    assert (entry.type, entry.user_id, entry.timestamp) == ("state transition", "u-1", later)
    assert json.loads(entry.detail) == {
        "state": "ok",
        "state_reason": "Manually set via API",
    }


def test_history_outlives_the_alarm(store: SqlStore, clock: Clock) -> None:
    alarm = store.create(an_alarm())
    clock.pass_time(hours=1)

    store.delete(alarm.alarm_id, by=a_caller("u-1"))

    entries = store.history(alarm.alarm_id)
    assert [entry.type for entry in entries] == ["deletion", "creation"]
    assert json.loads(entries[0].detail) == {"state": "insufficient data"}
    assert (entries[0].timestamp, entries[0].user_id) == (clock(), "u-1")
    assert store.history(alarm.alarm_id, limit=1) == entries[:1]
    with pytest.raises(NotFound):
        store.get(alarm.alarm_id)


def test_history_of_a_creation_tells_all_but_passwords(store: SqlStore) -> None:
    alarm = store.create(an_alarm(**EVERY_FIELD))

    (entry,) = store.history(alarm.alarm_id)

    detail = json.loads(entry.detail)
    assert detail["alarm_actions"] == ["https://user:***@alarm.example/", "log://"]
    assert detail["rule"] == alarm.rule.as_dict()
    assert (detail["timestamp"], detail["severity"]) == ("2026-01-02T12:00:00", "moderate")
    assert detail["time_constraints"][0]["duration"] == 3600
    assert store.get(alarm.alarm_id).alarm_actions == alarm.alarm_actions
