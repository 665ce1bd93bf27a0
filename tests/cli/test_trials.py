"""`tocsin alarm explain` and `tocsin alarm test`, at both desks."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.alarms import alarm
from pipeline.cli.base import TocsinGroup
from pipeline.remote import trials as remote_trials
from pipeline.store.sql import SqlStore

from builders import NOON, a_condition, a_rule, an_alarm, an_event
from cli.application import At, Tocsin
from store.storing import fire

DATA = Path(__file__).parents[1] / "data"
CADF = str(DATA / "keystone-cadf.jsonl")
LOGIN = "identity.authenticate"
FAILED = a_rule(LOGIN, a_condition("traits.outcome", "failure"))

ALARMS = """\
alarms:
  - name: login failed
    type: event
    repeat_actions: true
    event_rule:
      event_type: identity.authenticate
      query: [{field: traits.outcome, value: failure}]
  - name: users deleted
    type: event
    event_rule: {event_type: identity.user.deleted}
  - name: never
    type: event
    event_rule:
      event_type: identity.*
      query: [{field: traits.outcom, value: failure}]
targets: []
"""

EXPLAINED = """\
alarm failed, event aa11 (identity.authenticate), at 2026-01-02T12:00:00Z
+-------+----------------+-----------------------+-----------------------+\
-----------------------------------------+
| holds | check          | wanted                | found                 |\
 why                                     |
+-------+----------------+-----------------------+-----------------------+\
-----------------------------------------+
| ✓     | enabled        | true                  | true                  |\
                                         |
| ✓     | state          | not alarm             | insufficient data     |\
                                         |
| ✓     | project        | any                   | missing               |\
                                         |
| ✓     | event type     | identity.authenticate | identity.authenticate |\
                                         |
| ✗     | traits.outcome | = failure             | success               |\
 success is not equal to failure.        |
| ✗     | verdict        |                       | insufficient data     |\
 does not fire: traits.outcome = failure |
+-------+----------------+-----------------------+-----------------------+\
-----------------------------------------+
"""

TRIED = """\
511 events were looked at.
+---------------+---------+---------+---------+-----------------------------+\
-----------------------------+
| name          | of_type | matches | firings | first                       |\
 last                        |
+---------------+---------+---------+---------+-----------------------------+\
-----------------------------+
| login failed  |      98 |      30 |      30 | 2026-11-21T21:04:31.906742Z |\
 2026-11-21T21:06:31.318096Z |
| users deleted |      23 |      23 |       1 | 2026-11-21T21:04:10.939265Z |\
 2026-11-21T21:07:21.741849Z |
| never         |     511 |       0 |       0 |                             |\
                             |
+---------------+---------+---------+---------+-----------------------------+\
-----------------------------+
never matches none: traits.outcom = failure failed on 511 of 511 events of this type.\
 The event has no trait 'outcom'. Without it no condition holds, != included.\
 Did you mean 'outcome'?
+--------+---------------+-----------------------------+-----------------------+\
--------------------------------------+
| fires  | name          | generated                   | event_type            |\
 message_id                           |
+--------+---------------+-----------------------------+-----------------------+\
--------------------------------------+
| ✓      | login failed  | 2026-11-21T21:06:31.318096Z | identity.authenticate |\
 6bbc5ea3-5cac-482d-9e8c-92298d085fd4 |
| silent | users deleted | 2026-11-21T21:07:21.741849Z | identity.user.deleted |\
 182ff4ad-05c7-4153-8748-8f1d8841eab1 |
+--------+---------------+-----------------------------+-----------------------+\
--------------------------------------+
"""


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, alarm, at=at)


@pytest.fixture
def alarms_file(tmp_path: Path) -> str:
    file = tmp_path / "alarms.yaml"
    file.write_text(ALARMS)
    return str(file)


class TestExplain:
    def test_a_row_for_each_check_and_the_verdict(self, tocsin: Tocsin, store: SqlStore) -> None:
        store.create(an_alarm(name="failed", rule=FAILED, all_projects=True))
        store.keep_events([an_event(message_id="aa11", event_type=LOGIN, outcome="success")])
        assert tocsin("alarm", "explain", "failed", "--event", "aa11") == EXPLAINED

    def test_json_has_conditions_and_values_apart(self, tocsin: Tocsin, store: SqlStore) -> None:
        rule = a_rule(LOGIN, a_condition("traits.n", "7", "ge", "integer"))
        store.create(an_alarm(name="/a b", rule=rule, all_projects=True))
        store.keep_events([an_event(message_id="aa11", event_type=LOGIN, n=6)])
        rows = json.loads(tocsin("alarm", "explain", "/a b", "--event", "aa", "-f", "json"))
        assert rows[-2] == {
            "holds": False,
            "check": "traits.n",
            "wanted": {"op": "ge", "value": "7", "type": "integer"},
            "found": {"value": 6, "type": "integer"},
            "why": "6 is less than 7.",
        }
        assert (rows[-1]["check"], rows[-1]["holds"]) == ("verdict", False)

    def test_the_first_event_of_a_file_is_explained(
        self, tocsin: Tocsin, store: SqlStore, tmp_path: Path
    ) -> None:
        rule = a_rule("identity.domain.*")
        store.create(an_alarm(name="domain", rule=rule, all_projects=True))
        verdict = ("-f", "value", "-c", "found", "-c", "why")
        shown = tocsin("alarm", "explain", "domain", "--event", CADF, *verdict).splitlines()
        assert shown[-1] == "insufficient data → alarm fires: insufficient data → alarm"
        broken = tmp_path / "broken.jsonl"
        broken.write_bytes(b"\xff\n")
        said = tocsin.fails("alarm", "explain", "domain", "--event", str(broken), code=2)
        assert f"{broken}: there is no event in it: " in said

    def test_an_event_that_fired_it_says_when(self, tocsin: Tocsin, store: SqlStore) -> None:
        """delivery 1: an event fires an alarm once."""
        created = store.create(an_alarm(name="failed", rule=FAILED, all_projects=True))
        event = an_event(message_id="aa11", event_type=LOGIN, outcome="failure")
        store.keep_events([event])
        fire(store, created, event)
        shown = tocsin("alarm", "explain", "failed", "--event", "aa11")
        assert "matches and stays silent: it is in state alarm already" in shown
        assert "This event fired it at 2026-01-02T12:00:00Z; it does so once." in shown

    def test_what_is_not_there_is_an_error(self, tocsin: Tocsin, store: SqlStore) -> None:
        assert "Alarm x not found" in tocsin.fails("alarm", "explain", "x", "--event", "y")
        store.create(an_alarm(name="x"))
        said = tocsin.fails("alarm", "explain", "x", "--event", "y")
        assert said == "Error: Event y is not in the archive\n"

    def test_marks_have_colours_where_there_is_a_terminal(self, store: SqlStore) -> None:
        tocsin = Tocsin(store, alarm)
        store.create(an_alarm(name="failed", rule=FAILED, all_projects=True))
        store.keep_events([an_event(message_id="aa11", event_type=LOGIN, outcome="success")])
        command = ["alarm", "explain", "failed", "--event", "aa11"]
        root = TocsinGroup("tocsin", commands=[alarm])
        shown = CliRunner().invoke(root, command, obj=tocsin.application, color=True).stdout
        assert "| \x1b[32m✓\x1b[0m     | enabled " in shown
        assert "| \x1b[31m✗\x1b[0m     | verdict " in shown


class TestTest:
    def test_a_file_of_alarms_is_tried_on_a_file_of_events(
        self, tocsin: Tocsin, alarms_file: str, store: SqlStore
    ) -> None:
        shown = tocsin("alarm", "test", "-f", alarms_file, "--events", CADF, "--limit", "1")
        assert shown == TRIED
        assert store.counts().alarms == 0

    def test_json_has_matches_and_what_failed(self, tocsin: Tocsin, alarms_file: str) -> None:
        command = ("alarm", "test", "-f", alarms_file, "--events", CADF, "-f", "json")
        found = {each["name"]: each for each in json.loads(tocsin(*command, "--limit", "2"))}
        assert [len(each["newest"]) for each in found.values()] == [2, 2, 0]
        assert found["login failed"]["matches"] == 30
        names = tocsin(*command[:-1], "value", "-c", "name", "-c", "matches")
        assert names == "login failed 30\nusers deleted 23\nnever 0\n"

    def test_the_archive_is_looked_at(
        self, tocsin: Tocsin, alarms_file: str, store: SqlStore
    ) -> None:
        times = (NOON - timedelta(days=days) for days in (1, 6, 8))
        store.keep_events(
            [an_event(event_type=LOGIN, outcome="failure", generated=at) for at in times]
        )
        command = ("alarm", "test", "-f", alarms_file, "-f", "value", "-c", "matches")
        assert tocsin(*command, "--since", "7d") == "2\n0\n0\n"
        assert tocsin(*command, "--since", "7d", "--until", "2d") == "1\n0\n0\n"

    def test_expectations_are_for_ci(self, tocsin: Tocsin, alarms_file: str) -> None:
        command = ("alarm", "test", "-f", alarms_file, "--events", CADF)
        tocsin(*command, "--expect", "53")
        assert tocsin.fails(*command, "--expect", "3") == "expected 3 matches, found 53\n"

    def test_several_files_and_normalised_events_are_read(
        self, tocsin: Tocsin, alarms_file: str, tmp_path: Path
    ) -> None:
        event = an_event(event_type=LOGIN, outcome="failure")
        normalised, zipped = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
        normalised.write_text(json.dumps(event.as_dict()) + "\n\nnonsense\n")
        zipped.write_bytes(gzip.compress(b"\xff\n" + normalised.read_bytes()))
        result = tocsin.run("alarm", "test", "-f", alarms_file, "--events", str(normalised),
                            str(zipped), "-f", "value", "-c", "matches")  # fmt: skip
        assert (result.exit_code, result.stdout) == (0, "2\n0\n0\n")
        assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
            f"{normalised}:3",
            f"{zipped}:1",
            f"{zipped}:4",
        ]

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "say which events: --events FILE..., or --since, and only one of them."),
            (("--events", CADF, "--since", "7d"), "and only one of them."),
            (("--events", "nowhere.jsonl"), "nowhere.jsonl: cannot be read: No such file"),
            (("-f", "nowhere.yaml", "--since", "7d"), "nowhere.yaml: cannot be read: No such"),
            (("--since", "later"), "'later' is no time."),
        ],
    )
    def test_what_makes_no_sense_is_an_error(
        self, tocsin: Tocsin, alarms_file: str, arguments: tuple[str, ...], said: str
    ) -> None:
        assert said in tocsin.fails("alarm", "test", "-f", alarms_file, *arguments, code=2)

    def test_a_format_alone_names_no_alarms(self, tocsin: Tocsin) -> None:
        said = tocsin.fails("alarm", "test", "-f", "json", "--since", "7d", code=2)
        assert "no alarms to try out. Name a file that has some with -f FILE." in said

    def test_a_wrong_alarm_is_told_with_its_place(self, tocsin: Tocsin, alarms_file: str) -> None:
        Path(alarms_file).write_text(ALARMS.replace("outcom,", "outcom, op: like,"))
        said = tocsin.fails("alarm", "test", "-f", alarms_file, "--events", CADF, code=2)
        assert said.startswith(f"{alarms_file}:15:42 alarms[2].event_rule.query[0].op: ")
        assert "unknown operator 'like'" in said

    def test_an_alarm_that_is_given_in_state_alarm_is_silent(
        self, tocsin: Tocsin, tmp_path: Path
    ) -> None:
        """alarms 11"""
        file = tmp_path / "a.yaml"
        file.write_text("alarms: [{name: a, type: event, state: alarm, event_rule: {}}]")
        command = ("alarm", "test", "-f", str(file), "--events", CADF, "-f", "value")
        assert tocsin(*command, "-c", "matches", "-c", "firings") == "511 0\n"

    def test_too_much_for_a_server_is_said(
        self, store: SqlStore, at: At, alarms_file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remote_trials, "_MOST_BYTES", 100)
        tocsin = Tocsin(store, alarm, at=at)
        result = tocsin.run("alarm", "test", "-f", alarms_file, "--events", CADF)
        if result.exit_code:
            assert "more than 100 bytes of events are too many to be sent" in result.stderr
        else:
            assert result.stdout.startswith("511 events were looked at.")
        assert bool(result.exit_code) is not hasattr(tocsin.application.desk, "caller")


def test_a_question_for_the_archive_may_stop(
    store: SqlStore, alarms_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked of a server looks at so many events and says where to go on."""
    tocsin = Tocsin(store, alarm)
    desk = tocsin.application.desk
    monkeypatch.setattr(
        type(desk.trials), "test", replaced(desk.trials.test(alarms=[{"name": "a"}]))
    )
    result = tocsin.run("alarm", "test", "-f", alarms_file, "--since", "7d")
    assert result.exit_code == 0
    assert "Go on with --since 2026-01-02T11:00:00Z" in result.stderr


def replaced(found: dict[str, object]) -> object:
    return lambda *_, **__: {**found, "stopped_at": "2026-01-02T11:00:00"}
