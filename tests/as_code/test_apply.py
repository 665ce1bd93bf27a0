"""What files say is made so, as a whole or not at all, and a second time changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.alarms.alarm import State
from pipeline.cli.as_code import apply, export
from pipeline.dispatch import Origin, TargetEntry
from pipeline.errors import Conflict, NotFound
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.store.applying import Wanted
from pipeline.store.routing import Create, Delete
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, an_alarm
from cli.application import At, Tocsin

EVERYTHING = """\
alarms:
  - name: user deleted
    event_rule: {event_type: identity.user.deleted, query: [{field: traits.x, value: 5}]}
    alarm_actions: ["target:phone", "https://a:geheim@b.example/?token=verborgen"]
    time_constraints: [{name: night, start: 0 22 * * *, duration: 60}]
targets:
  - {name: phone, type: gotify, server: "https://g.example", token: geheim, filter: urgent}
  - {name: hook, type: aodh, url: "https://h.example/", fallback: phone}
groups:
  - {name: all, target: [phone, hook]}
filters:
  - {name: urgent, min-severity: error}
matchers:
  - {name: nights, match-field: ["exact:type=a,b"], target: all, mode: any}
"""


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[SqlStore]:
    sealer = KeyFileSealer(KeyFile(tmp_path / "secrets.key"))
    settings = DatabaseSettings(url=database_url)
    with SqlStore.open(settings, clock=lambda: NOON, sealer=sealer) as store:
        yield store


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, apply, export, at=at)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str, name: str = "tocsin.yaml") -> str:
        path = tmp_path / "files" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


def secrets(store: SqlStore, name: str) -> object:
    entry = store.present((), (), None).entries[name]
    assert isinstance(entry, TargetEntry)
    return entry.secrets


def test_everything_is_made_and_a_second_apply_changes_nothing(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    path = file(EVERYTHING)

    assert tocsin("apply", "-f", path).endswith("6 created, 0 changed, 0 deleted, 0 unchanged.\n")
    digest = store.entry("phone").digest
    alarm = store.find("user deleted")

    assert tocsin("apply", "-f", path) == "0 created, 0 changed, 0 deleted, 6 unchanged.\n"
    assert store.entry("phone").digest == digest
    assert store.find("user deleted") == alarm
    assert secrets(store, "phone") == {"token": "geheim"}
    assert alarm.all_projects


def test_dry_run_shows_all_and_does_nothing(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    path = file(EVERYTHING)

    result = tocsin.run("apply", "-f", path, "--dry-run")

    assert result.exit_code == 3
    assert "6 to create, 0 to change, 0 to delete" in result.stdout
    assert "+++ target phone" in result.stdout
    assert "geheim" not in result.stdout
    assert "verborgen" not in result.stdout
    assert [each.entry.name for each in store.entries()] == ["default-matcher", "mail-to-root"]
    tocsin("apply", "-f", path)
    assert tocsin("apply", "-f", path, "--dry-run").startswith("0 to create")


def test_change_is_shown_as_a_diff_and_a_changed_secret_only_as_such(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    tocsin("apply", "-f", file(EVERYTHING))
    changed = EVERYTHING.replace("geheim", "neu").replace("duration: 60", "duration: 90")

    shown = tocsin("apply", "-f", file(changed))

    assert "-token: '***'\n+token: '*** (changed)'\n" in shown
    assert "-  duration: 60\n+  duration: 90\n" in shown
    assert "token=*** (changed)" in shown
    assert "neu" not in shown
    assert shown.endswith("0 created, 2 changed, 0 deleted, 4 unchanged.\n")
    assert secrets(store, "phone") == {"token": "neu"}


def test_applied_alarm_keeps_its_state(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    tocsin("apply", "-f", file(EVERYTHING))
    alarm = store.find("user deleted")
    store.set_state(alarm.alarm_id, State.ALARM, NOON)

    tocsin("apply", "-f", file(EVERYTHING.replace("duration: 60", "duration: 90")))

    after = store.find("user deleted")
    assert (after.alarm_id, after.state) == (alarm.alarm_id, State.ALARM)
    assert after.time_constraints[0].duration_seconds == 90


def test_what_a_file_does_not_say_is_as_by_default(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    tocsin("apply", "-f", file(EVERYTHING))
    tocsin("apply", "-f", file(EVERYTHING.replace(", fallback: phone", "")))

    entry = store.entry("hook").entry
    assert isinstance(entry, TargetEntry)
    assert entry.fallback == ""


def test_prune_deletes_only_what_an_earlier_apply_of_the_set_brought(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    store.change_entries([Create(TargetEntry("byhand", "log"))])
    store.create(an_alarm(name="by hand"))
    tocsin("apply", "-f", file("filters: [{name: theirs, min-severity: info}]"), "--set", "b")
    tocsin("apply", "-f", file(EVERYTHING))
    less = "targets:\n  - {name: phone, type: gotify, server: 'https://g.example', token: x}\n"

    assert "0 deleted" in tocsin("apply", "-f", file(less))
    shown = tocsin("apply", "-f", file(less), "--prune")

    assert "--- alarm user deleted\n+++ nothing" in shown
    assert shown.endswith("0 created, 0 changed, 5 deleted, 1 unchanged.\n")
    names = {each.entry.name for each in store.entries()}
    assert names == {"byhand", "default-matcher", "mail-to-root", "phone", "theirs"}
    assert store.find("by hand")
    with pytest.raises(NotFound):
        store.find("user deleted")


def test_what_was_deleted_and_made_again_by_hand_is_not_pruned(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    tocsin("apply", "-f", file("targets: [{name: log1, type: log}, {name: log2, type: log}]"))
    store.change_entries([Delete("log1")])
    store.change_entries([Create(TargetEntry("log1", "log"))])

    tocsin("apply", "-f", file("targets: [{name: log2, type: log}]"), "--prune")

    assert store.entry("log1")


def test_pruning_a_changed_built_in_resets_it(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    tocsin("apply", "-f", file("targets: [{name: mail-to-root, type: log}]"))
    assert store.entry("mail-to-root").entry.origin is Origin.MODIFIED_BUILTIN

    tocsin("apply", "-f", file("targets: []"), "--prune")

    assert store.entry("mail-to-root").entry.origin is Origin.BUILTIN


def test_what_is_still_used_by_others_is_not_pruned_and_nothing_else_is_done(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    tocsin("apply", "-f", file("targets: [{name: old, type: log}]"))
    store.create(an_alarm(name="uses it", alarm_actions=("target:old",)))

    said = tocsin.fails(
        "apply", "-f", file("targets: [{name: new, type: log}]"), "--prune", code=2
    )

    assert "old is referenced by alarm 'uses it'" in said
    with pytest.raises(NotFound):
        store.entry("new")


def test_all_problems_of_all_files_are_told_at_once_with_their_places(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str], tmp_path: Path
) -> None:
    file(EVERYTHING, "a.yaml")
    file("a:\nb", "c.yaml")
    file("targets:\n- {name: phone, type: log}\n- {name: x1, type: gotfy}\nalrms: []\n", "b.yml")
    said = tocsin.fails("apply", "-f", str(tmp_path / "files"), code=2)

    assert "b.yml:4:1 alrms: unknown key. Did you mean 'alarms'?" in said
    assert re.search(r"c\.yaml:\d+:\d+: not YAML", said)
    assert store.present((), (), None).alarms == []


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("targets: [{name: x1, type: gotfy}]", "1:28 targets[0].type", "unknown target 'gotfy'"),
        (
            "targets:\n- name: x1\n  type: gotify\n  server: no url\n  token: geheim\n",
            "4:11 targets[0].server",
            "",
        ),
        (
            "targets:\n- {name: x1, type: gotify, server: 'https://g', token: '***'}\n",
            "2:56 targets[0].token",
            "has no value yet",
        ),
        ("groups:\n- {name: g1, target: [nobody]}", "2:22 groups[0].target", "does not exist"),
        ("filters:\n- {name: f1, min-severity: loud}", "2:28 filters[0].min-severity", "loud"),
        ("matchers:\n- {name: m1, match_field: [x]}", "2:27 matchers[0].match_field", ""),
        ("alarms:\n- {name: a, event_rule: {evnt_type: x}}", "2:37", "evnt_type"),
        (
            "alarms:\n- {name: a, event_rule: {}, ok_actions: ['target:x1']}",
            "2:41 alarms[0].ok_actions",
            "no target is named so",
        ),
        (
            "alarms:\n- {name: a, event_rule: {}, ok_actions: ['http://a:***@b/']}",
            "2:41 alarms[0].ok_actions",
            "the secret is missing",
        ),
        (
            "alarms:\n- {name: a, event_rule: {}}\n- {name: a, event_rule: {}}",
            "3:10 alarms[1].name",
            "more than once",
        ),
        (
            "filters: [{name: f1, min-severity: info}]\ntargets: [{name: f1, type: log}]",
            "2:18 targets[0].name",
            "names are unique|Names are unique",
        ),
        ("targets: [x1]", "1:11 targets[0]", "an object with named fields"),
        ("[]", "1:1", "a mapping with lists"),
        ("targets: {}", "1:10 targets", "a list is needed"),
    ],
)
def test_problem_is_told_with_its_place(
    tocsin: Tocsin,
    store: SqlStore,
    file: Callable[[str], str],
    text: str,
    place: str,
    message: str,
) -> None:
    path = file(text)

    said = tocsin.fails("apply", "-f", path, code=2)

    assert said.startswith(f"{path}:{place}"), said
    assert re.search(message, said), said
    assert "geheim" not in said


def test_alarms_of_one_name_need_an_id(
    tocsin: Tocsin, store: SqlStore, file: Callable[[str], str]
) -> None:
    store.create_many([an_alarm(alarm_id=f"id-{n}", name="twice") for n in (1, 2)])
    of_project = an_alarm(alarm_id="id-3", name="twice", project_id="p")
    store.create(of_project)
    one = "alarms: [{name: twice, %s event_rule: {event_type: x}}]"

    assert "2 alarms are named so" in tocsin.fails("apply", "-f", file(one % ""), code=2)
    assert "1 changed" in tocsin("apply", "-f", file(one % "alarm_id: id-2,"))
    assert "1 changed" in tocsin("apply", "-f", file(one % "project_id: p,"))
    assert store.get("id-3").rule.event_type == "x"


def test_apply_that_somebody_came_before_changes_nothing(store: SqlStore) -> None:
    alarm = store.create(an_alarm(name="a"))
    store.set_state(alarm.alarm_id, State.OK, NOON)
    entry = TargetEntry("log1", "log")

    with pytest.raises(Conflict, match="changed meanwhile"):
        store.apply(Wanted([], [alarm], [], [Create(entry)], "default", []))

    with pytest.raises(NotFound):
        store.entry("log1")
