"""`tocsin alarm` takes Aodh's options and prints as `aodh` does (alarms 27 to 30)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.alarms.alarm import Alarm, Condition, EventRule, Severity, State, TimeConstraint
from pipeline.cli.alarms import alarm
from pipeline.store.sql import SqlStore

from builders import an_alarm
from cli.application import At, Tocsin

FIRST = "00000000-0000-0000-0000-000000000001"
HOOK = "https://receiver.example/hook"
EVERYTHING = (
    *("--name", "user deleted", "-t", "event", "--project-id", "p-1", "--user-id", "u-1"),
    *("--description", "who is gone", "--state", "ok", "--severity", "critical"),
    *("--enabled", "False", "--repeat-actions", "True", "--all-projects"),
    *("--alarm-action", HOOK, "--alarm-action", "log://", "--ok-action", "test://"),
    *("--insufficient-data-action", "log://"),
    *("--event-type", "identity.user.deleted"),
    *("--query", "traits.outcome=string::success;traits.reason_code>=integer::400"),
    *(
        "--time-constraint",
        "name=night;start=0 22 * * *;duration=28800;timezone=Europe/Berlin;description=sleep",
    ),
    *("--time-constraint", "name='noon';start=\"0 12 * * *\";duration=60;description=lunch"),
)


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, alarm, at=at)


def created(tocsin: Tocsin, *options: str) -> dict[str, Any]:
    """Make an alarm; what it is shown as."""
    shown: dict[str, Any] = json.loads(tocsin("alarm", "create", *options, "-f", "json"))
    return shown


class TestCreate:
    """alarms 27, 28"""

    def test_every_option_reaches_the_store(self, tocsin: Tocsin, store: SqlStore) -> None:
        alarm_id = created(tocsin, *EVERYTHING)["alarm_id"]
        made = store.get(alarm_id)
        expected = Alarm(
            alarm_id=FIRST,
            name="user deleted",
            rule=EventRule(
                "identity.user.deleted",
                (
                    Condition("traits.outcome", "eq", "success", "string"),
                    Condition("traits.reason_code", "ge", "400", "integer"),
                ),
            ),
            description="who is gone",
            timestamp=made.timestamp,
            state_timestamp=made.state_timestamp,
            enabled=False,
            state=State.OK,
            severity=Severity.CRITICAL,
            ok_actions=("test://",),
            alarm_actions=(HOOK, "log://"),
            insufficient_data_actions=("log://",),
            repeat_actions=True,
            time_constraints=(
                TimeConstraint("night", "0 22 * * *", 28800, "Europe/Berlin", "sleep"),
                TimeConstraint("noon", "0 12 * * *", 60, "", "lunch"),
            ),
            project_id="p-1",
            user_id="u-1",
            all_projects=True,
            state_reason=made.state_reason,
            revision=made.revision,
        )
        assert made == expected

    def test_a_name_is_enough(self, tocsin: Tocsin, store: SqlStore) -> None:
        """alarms 1: all else has Aodh's defaults; every project is seen."""
        made = store.get(created(tocsin, "--name", "any event")["alarm_id"])
        assert (made.rule, made.enabled, made.severity) == (EventRule(), True, Severity.LOW)
        assert (made.state, made.description) == (
            State.INSUFFICIENT_DATA,
            "Alarm when * event occurred.",
        )
        assert made.all_projects

    @pytest.mark.parametrize(
        ("options", "sees_all"),
        [
            ((), True),
            (("--project-id", ""), True),
            (("--project-id", "p-1"), False),
            (("--project-id", "p-1", "--all-projects"), True),
            (("--no-all-projects",), False),
        ],
    )
    def test_an_alarm_sees_every_project_unless_it_is_given_to_one(
        self, tocsin: Tocsin, options: tuple[str, ...], sees_all: bool
    ) -> None:
        """alarms 9"""
        assert created(tocsin, "--name", "a", *options).get("all_projects", False) is sees_all

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ((), "the alarm needs a name. Give it one with --name."),
            (
                ("--name", "a", "--query", "traits.n=integer::hello"),
                "Unable to convert the value hello to the expected data type integer.",
            ),
            (("--name", "a", "-t", "gnocchi_resources_threshold"), "event"),
            (("--name", "a", "--alarm-action", "ftp://x"), "Unsupported action ftp://x"),
            (("--name", "a", "--time-constraint", "name"), "'name' has no value. Write name=NAME"),
            (("--name", "a", "--query", "traits.n"), "'traits.n' has no operator, one of != >="),
            (("--name", "a", "--state", "okay"), "'okay' is not one of 'ok', 'alarm', 'ins"),
            (("--name", "a", "--enabled", "perhaps"), "'perhaps' is not a valid boolean"),
            (("--nmae", "a"), "No such option '--nmae'. (Did you mean one of: '--name'"),
        ],
    )
    def test_what_does_not_fit_is_said_and_nothing_is_made(
        self, tocsin: Tocsin, store: SqlStore, options: tuple[str, ...], message: str
    ) -> None:
        assert message in tocsin.fails("alarm", "create", *options, code=2)
        assert store.search() == []


class TestCreateFromFile:
    """All alarms of a YAML file, or none."""

    def write(self, path: Path, text: str) -> str:
        (path / "alarms.yaml").write_text(text)
        return str(path / "alarms.yaml")

    def test_all_are_made(self, tocsin: Tocsin, store: SqlStore, tmp_path: Path) -> None:
        file = self.write(
            tmp_path,
            "alarms:\n"
            "  - {name: a, type: event, event_rule: {event_type: x.*}, alarm_actions: ['log://']}\n"
            "  - {name: b, type: event, event_rule: {}, severity: critical, project_id: p-1}\n",
        )
        assert tocsin("alarm", "create", "--file", file, "-f", "value", "-c", "name") == "a\nb\n"
        a, b = store.search(sort=[("name", "asc")])
        assert (a.rule.event_type, a.alarm_actions, a.all_projects) == ("x.*", ("log://",), True)
        assert (b.rule, b.severity, b.all_projects) == (EventRule(), Severity.CRITICAL, False)

    def test_every_problem_is_said_with_its_line_and_none_is_made(
        self, tocsin: Tocsin, store: SqlStore, tmp_path: Path
    ) -> None:
        file = self.write(
            tmp_path,
            "alarms:\n"
            "  - {name: fine, type: event, event_rule: {}}\n"
            "  - {name: a, type: event, event_rule: {}, severity: urgent}\n"
            "  - {name: b, type: event, event_rule: {}, ok_actions: ['ftp://x']}\n",
        )
        said = tocsin.fails("alarm", "create", "--file", file, code=2)
        places = [line.partition(": ")[0] for line in said.splitlines()]
        assert places[0].startswith(f"{file}:3:")
        assert places[1].startswith(f"{file}:4:")
        assert store.search() == []

    def test_options_do_not_go_with_it(self, tocsin: Tocsin, tmp_path: Path) -> None:
        file = self.write(tmp_path, "alarms: []")
        said = tocsin.fails("alarm", "create", "--file", file, "--severity", "low", code=2)
        assert said == "Error: --file goes without --severity: put it there.\n"


class TestList:
    """alarms 29, 30"""

    @pytest.fixture(autouse=True)
    def alarms(self, store: SqlStore) -> None:
        store.create(an_alarm(alarm_id="1", name="b", severity=Severity.CRITICAL))
        store.create(an_alarm(alarm_id="2", name="a", state=State.ALARM, project_id="p-1"))
        store.create(an_alarm(alarm_id="3", name="c", enabled=False))

    def names(self, tocsin: Tocsin, *options: str) -> str:
        return "".join(tocsin("alarm", "list", "-f", "value", "-c", "name", *options).split())

    def test_the_table_is_as_aodh_prints_it(self, tocsin: Tocsin) -> None:
        assert (
            tocsin("alarm", "list", "--sort", "name")
            == """\
+----------+-------+------+-------------------+----------+---------+
| alarm_id | type  | name | state             | severity | enabled |
+----------+-------+------+-------------------+----------+---------+
| 2        | event | a    | alarm             | low      | True    |
| 1        | event | b    | insufficient data | critical | True    |
| 3        | event | c    | insufficient data | low      | False   |
+----------+-------+------+-------------------+----------+---------+
"""
        )

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            (("--sort", "name:desc"), "cba"),
            (("--sort", "severity:desc", "--sort", "name"), "bac"),
            (("--sort", "name", "--limit", "2"), "ab"),
            (("--sort", "name", "--marker", "2"), "bc"),
            (("--filter", "state=alarm"), "a"),
            (("--filter", "project_id=p-1;enabled=true"), "a"),
            (("--filter", "enabled=true", "--filter", "name=c"), ""),
            (("--filter", "all_projects=true", "--sort", "name"), "abc"),
            (("--query", "severity=critical or enabled=false", "--sort", "name"), "bc"),
            (("--query", "not name=a", "--sort", "name", "--marker", "2", "--limit", "1"), "b"),
        ],
    )
    def test_alarms_are_found(self, tocsin: Tocsin, options: tuple[str, ...], names: str) -> None:
        assert self.names(tocsin, *options) == names

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--filter", "sate=ok"), "unknown key 'sate'"),
            (("--query", "sate=ok"), "no field is called 'sate'"),
            (("--sort", "colour"), "unknown sort key 'colour'"),
            (("--sort", "name:up"), "unknown sort direction 'up'"),
            (("--marker", "9"), "Alarm 9 not found"),
            (("--limit", "0"), "0 is not in the range x>=1"),
        ],
    )
    def test_what_cannot_be_searched_for_is_said(
        self, tocsin: Tocsin, options: tuple[str, ...], message: str
    ) -> None:
        assert message in tocsin.fails("alarm", "list", *options, code=2)


class TestShow:
    """alarms 29, 30"""

    def test_the_rule_is_flattened_and_the_query_written_out(self, tocsin: Tocsin) -> None:
        created(tocsin, *EVERYTHING)
        value = tocsin("alarm", "show", "user deleted", "-f", "value", "-c", "query")
        assert value == "traits.outcome = success AND\ntraits.reason_code >= 400\n"
        table = tocsin("alarm", "show", "user deleted", "-c", "event_type", "-c", "query")
        assert (
            table
            == """\
+------------+------------------------------+
| Field      | Value                        |
+------------+------------------------------+
| event_type | identity.user.deleted        |
| query      | traits.outcome = success AND |
|            | traits.reason_code >= 400    |
+------------+------------------------------+
"""
        )

    def test_the_fields_stand_in_order_with_aodhs_names(self, tocsin: Tocsin) -> None:
        created(tocsin, "--name", "a")
        shown = json.loads(tocsin("alarm", "show", "a", "-f", "json"))
        assert list(shown) == sorted(shown)
        assert shown == {
            "alarm_actions": [],
            "alarm_id": FIRST,
            "all_projects": True,
            "description": "Alarm when * event occurred.",
            "enabled": True,
            "evaluate_timestamp": None,
            "event_type": "*",
            "insufficient_data_actions": [],
            "name": "a",
            "ok_actions": [],
            "project_id": "",
            "query": "",
            "repeat_actions": False,
            "severity": "low",
            "state": "insufficient data",
            "state_reason": "Not evaluated yet",
            "state_timestamp": "2026-01-02T12:00:01",
            "time_constraints": [],
            "timestamp": "2026-01-02T12:00:01",
            "type": "event",
            "user_id": "",
        }

    def test_secrets_in_actions_are_masked(self, tocsin: Tocsin) -> None:
        """alarms 8"""
        shown = created(tocsin, "--name", "a", "--ok-action", "https://u:pw@x/?token=t")
        assert shown["ok_actions"] == ["https://u:***@x/?token=***"]

    @pytest.mark.parametrize("which", [(FIRST,), ("a",), ("--name", "a")])
    def test_an_id_or_a_name_is_taken(self, tocsin: Tocsin, which: tuple[str, ...]) -> None:
        """alarms 29"""
        created(tocsin, "--name", "a")
        assert tocsin("alarm", "show", *which, "-f", "value", "-c", "alarm_id") == f"{FIRST}\n"

    def test_an_ambiguous_name_is_an_error_that_names_the_ids(self, tocsin: Tocsin) -> None:
        """alarms 29"""
        ids = [created(tocsin, "--name", "a")["alarm_id"] for _ in range(2)]
        said = tocsin.fails("alarm", "show", "a")
        assert said.startswith("Error: ")
        assert all(alarm_id in said for alarm_id in ids)

    def test_an_unknown_alarm_is_an_error(self, tocsin: Tocsin) -> None:
        assert tocsin.fails("alarm", "show", "x") == "Error: Alarm x not found\n"

    @pytest.mark.parametrize("which", [(), ("a", "--name", "a")])
    def test_one_alarm_has_to_be_said(self, tocsin: Tocsin, which: tuple[str, ...]) -> None:
        said = tocsin.fails("alarm", "show", *which, code=2)
        assert said == "Error: say which alarm: its id or name, or --name, and only one of them.\n"


class TestUpdate:
    """alarms 27"""

    def test_what_is_given_changes_and_all_else_stays(
        self, tocsin: Tocsin, store: SqlStore
    ) -> None:
        before = store.get(created(tocsin, *EVERYTHING)["alarm_id"])
        tocsin("alarm", "update", "user deleted", "--severity", "low", "--query", "traits.a=1")
        after = store.get(before.alarm_id)
        assert after.severity is Severity.LOW
        assert after.rule == EventRule(
            "identity.user.deleted", (Condition("traits.a", "eq", "1"),)
        )
        assert (after.alarm_actions, after.state) == (before.alarm_actions, before.state)
        assert after.time_constraints == before.time_constraints

    def test_an_empty_text_clears_a_list(self, tocsin: Tocsin, store: SqlStore) -> None:
        """alarms 27"""
        alarm_id = created(tocsin, *EVERYTHING)["alarm_id"]
        cleared = ("--alarm-action", "", "--ok-action", "", "--insufficient-data-action", "")
        tocsin("alarm", "update", alarm_id, *cleared, "--time-constraint", "", "--query", "")
        after = store.get(alarm_id)
        assert after.alarm_actions == after.ok_actions == after.insufficient_data_actions == ()
        assert after.time_constraints == after.rule.query == ()

    def test_a_name_with_an_id_renames(self, tocsin: Tocsin, store: SqlStore) -> None:
        alarm_id = created(tocsin, "--name", "a")["alarm_id"]
        tocsin("alarm", "update", alarm_id, "--name", "b")
        assert store.get(alarm_id).name == "b"

    def test_a_name_alone_finds(self, tocsin: Tocsin, store: SqlStore) -> None:
        alarm_id = created(tocsin, "--name", "a")["alarm_id"]
        tocsin("alarm", "update", "--name", "a", "--enabled", "0")
        assert not store.get(alarm_id).enabled

    def test_a_state_is_set(self, tocsin: Tocsin, store: SqlStore) -> None:
        created(tocsin, "--name", "a")
        shown = json.loads(tocsin("alarm", "update", "a", "--state", "alarm", "-f", "json"))
        assert (shown["state"], shown["state_reason"]) == ("alarm", "Manually set via API")
        assert store.find("a").state is State.ALARM

    def test_secrets_of_actions_survive_a_change(self, tocsin: Tocsin, store: SqlStore) -> None:
        created(tocsin, "--name", "a", "--ok-action", "https://u:pw@x/")
        tocsin("alarm", "update", "a", "--severity", "critical")
        assert store.find("a").ok_actions == ("https://u:pw@x/",)


class TestState:
    def test_it_is_got_and_set(self, tocsin: Tocsin, store: SqlStore) -> None:
        created(tocsin, "--name", "a")
        assert (
            tocsin("alarm", "state", "set", "a", "--state", "ok")
            == """\
+-------+-------+
| Field | Value |
+-------+-------+
| state | ok    |
+-------+-------+
"""
        )
        assert tocsin("alarm", "state", "get", "--name", "a", "-f", "value") == "ok\n"
        assert store.find("a").state_reason == "Manually set via API"

    def test_another_state_is_refused(self, tocsin: Tocsin) -> None:
        """alarms 2"""
        said = tocsin.fails("alarm", "state", "set", "a", "--state", "fine", code=2)
        assert "'fine' is not one of 'ok', 'alarm', 'insufficient data'" in said


def test_an_alarms_life_is_in_its_history_though_it_is_deleted(tocsin: Tocsin) -> None:
    """alarms 22"""
    alarm_id = created(tocsin, "--name", "a")["alarm_id"]
    tocsin("alarm", "update", "a", "--severity", "critical")
    tocsin("alarm", "state", "set", "a", "--state", "alarm")
    assert tocsin("alarm", "delete", "a") == ""
    assert tocsin.fails("alarm", "show", "a") == "Error: Alarm a not found\n"
    entries = json.loads(tocsin("alarm", "history", alarm_id, "-f", "json"))
    assert list(entries[0]) == ["timestamp", "type", "detail", "event_id"]
    assert {entry["type"] for entry in entries} == {
        "creation",
        "rule change",
        "state transition",
        "deletion",
    }
    latest = tocsin("alarm", "history", alarm_id, "--limit", "1", "-f", "value", "-c", "type")
    assert len(latest.splitlines()) == 1
    assert tocsin.fails("alarm", "history", "a") == "Error: Alarm a not found\n"


def test_a_mistyped_command_is_answered_with_the_one_that_was_meant(tocsin: Tocsin) -> None:
    assert "Did you mean 'create'?" in tocsin.fails("alarm", "craete", code=2)
