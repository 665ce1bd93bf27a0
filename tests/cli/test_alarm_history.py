"""`tocsin alarm-history`, `alarm quota` and `capabilities` print as `aodh` does (alarms 26)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.alarms.alarm import State
from pipeline.cli.alarm_history import alarm_history
from pipeline.cli.alarms import alarm
from pipeline.cli.capabilities import capabilities
from pipeline.store.sql import SqlStore

from builders import NOON, a_caller, an_alarm
from cli.application import At, Tocsin


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, alarm, alarm_history, capabilities, at=at)


@pytest.fixture
def alarm_id(store: SqlStore) -> str:
    """An alarm that was made and set to ok, and another one."""
    made = store.create(an_alarm(name="one"), a_caller("ops"))
    store.set_state(made.alarm_id, State.OK, NOON, a_caller("night"))
    store.create(an_alarm(name="two"))
    return made.alarm_id


def shown(tocsin: Tocsin, *line: str) -> Any:
    return json.loads(tocsin(*line, "-f", "json"))


class TestShow:
    def test_what_became_of_an_alarm(self, tocsin: Tocsin, alarm_id: str) -> None:
        lines = shown(tocsin, "alarm-history", "show", "one")
        assert [list(line) for line in lines] == [["timestamp", "type", "detail", "event_id"]] * 2
        assert [line["type"] for line in lines] == ["state transition", "creation"]
        assert lines == shown(tocsin, "alarm", "history", alarm_id)
        assert shown(tocsin, "alarm-history", "show", "one", "--limit", "1") == lines[:1]
        after = ("--marker", lines[0]["event_id"])
        assert shown(tocsin, "alarm-history", "show", alarm_id, *after) == lines[1:]
        in_order = shown(tocsin, "alarm-history", "show", "one", "--sort", "timestamp:asc")
        assert in_order == lines[::-1]

    def test_that_of_a_deleted_alarm_is_found_by_its_id(
        self, tocsin: Tocsin, store: SqlStore, alarm_id: str
    ) -> None:
        store.delete(alarm_id)
        types = tocsin("alarm-history", "show", alarm_id, "-f", "value", "-c", "type")
        assert "deletion" in types
        assert "Alarm one not found" in tocsin.fails("alarm-history", "show", "one")

    def test_an_alarm_whose_history_was_removed_has_none(
        self, tocsin: Tocsin, store: SqlStore
    ) -> None:
        store.create(an_alarm(name="old"))
        with store._database.write() as connection:
            connection.exec_driver_sql("DELETE FROM alarm_history")
        assert shown(tocsin, "alarm-history", "show", "old") == []

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--sort", "colour"), "unknown sort key 'colour'. Use one of event_id, alarm_id"),
            (("--marker", "nobody"), "marker: Event nobody not found"),
        ],
    )
    def test_what_does_not_fit(
        self, tocsin: Tocsin, alarm_id: str, options: tuple[str, ...], message: str
    ) -> None:
        assert message in tocsin.fails("alarm-history", "show", "one", *options, code=2)


class TestSearch:
    def test_by_an_expression(self, tocsin: Tocsin, alarm_id: str) -> None:
        found = shown(tocsin, "alarm-history", "search", "--query", "user=night or detail=~two")
        assert [list(line) for line in found] == [["alarm_id", "timestamp", "type", "detail"]] * 2
        assert {line["type"] for line in found} == {"state transition", "creation"}
        assert len(shown(tocsin, "alarm-history", "search")) == 3
        assert len(shown(tocsin, "alarm-history", "search", "--limit", "2")) == 2

    def test_what_is_wrong_is_pointed_at(self, tocsin: Tocsin) -> None:
        said = tocsin.fails("alarm-history", "search", "--query", "colour=red", code=2)
        assert "no field is called 'colour'. Use one of event_id" in said


class TestQuotas:
    def test_they_are_shown_and_set(self, tocsin: Tocsin, store: SqlStore) -> None:
        assert shown(tocsin, "alarm", "quota", "show", "--project", "p-1") == {"alarms": -1}
        assert shown(tocsin, "alarm", "quota", "set", "p-1", "--alarm", "0") == {"alarms": 0}
        assert shown(tocsin, "alarm", "quota", "show", "--project", "p-1") == {"alarms": 0}
        said = tocsin.fails("alarm", "create", "--name", "a", "--project-id", "p-1")
        assert "Alarm quota exceeded for user  on project p-1" in said
        assert store.search() == []
        assert shown(tocsin, "alarm", "quota", "set", "p-1", "--alarm", "-1") == {"alarms": -1}

    def test_less_than_none_is_refused(self, tocsin: Tocsin) -> None:
        said = tocsin.fails("alarm", "quota", "set", "p-1", "--alarm", "-2", code=2)
        assert "Value should be greater or equal to -1" in said


def test_capabilities_are_listed(tocsin: Tocsin) -> None:
    found = shown(tocsin, "capabilities", "list")
    assert found["api"]["alarms:query:complex"] is True
    assert tocsin("capabilities", "list").count("|") == 9


def test_what_is_not_aodhs_is_shown_where_it_is_so_or_asked_for(tocsin: Tocsin) -> None:
    """alarms 9: an alarm that sees one project is shown as `aodh` shows it."""
    made = shown(tocsin, "alarm", "create", "--name", "a", "--project-id", "p-1")
    assert "all_projects" not in made
    asked = ("alarm", "show", "a", "-f", "value", "-c", "all_projects")
    assert tocsin(*asked) == "False\n"
