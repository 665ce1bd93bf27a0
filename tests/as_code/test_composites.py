"""Composite alarms in files: references by name, in any order, and out again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.alarms.alarm import State
from pipeline.cli.as_code import apply, export
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_composite, a_rule, all_of, an_alarm, any_of
from cli.application import Tocsin

FILE = """\
alarms:
  - name: top
    composite_rule:
      or:
        - alarm: middle
        - {type: event, event_type: a, query: [{field: traits.x, value: "5"}]}
  - name: middle
    composite_rule: {and: [{alarm: leaf}, {alarm: there before}]}
  - {name: leaf, event_rule: {event_type: b}}
"""


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[SqlStore]:
    sealer = KeyFileSealer(KeyFile(tmp_path / "secrets.key"))
    settings = DatabaseSettings(url=database_url)
    with SqlStore.open(settings, clock=lambda: NOON, sealer=sealer) as store:
        yield store


@pytest.fixture
def tocsin(store: SqlStore) -> Tocsin:
    return Tocsin(store, apply, export)


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "alarms.yaml"
    path.write_text(text)
    return str(path)


def test_alarms_refer_to_each_other_by_name_and_a_second_apply_changes_nothing(
    tocsin: Tocsin, store: SqlStore, tmp_path: Path
) -> None:
    before = store.create(an_alarm(name="there before", state=State.OK, all_projects=True))
    path = written(tmp_path, FILE)

    assert "3 created, 0 changed, 0 deleted" in tocsin("apply", "-f", path)

    top, middle, leaf = (store.find(name) for name in ("top", "middle", "leaf"))
    assert middle.rule == all_of(leaf, before)
    assert top.rule.as_dict()["or"][0] == {"alarm": middle.alarm_id}
    assert middle.state is State.OK
    store.set_state(middle.alarm_id, State.ALARM, NOON)
    assert "0 created, 0 changed, 0 deleted, 3 unchanged" in tocsin("apply", "-f", path)
    assert store.get(top.alarm_id).state is State.ALARM


def test_a_changed_rule_is_written_and_evaluated(
    tocsin: Tocsin, store: SqlStore, tmp_path: Path
) -> None:
    store.create(an_alarm(name="there before", state=State.ALARM))
    tocsin("apply", "-f", written(tmp_path, FILE))
    changed = FILE.replace("and: [{alarm: leaf}, ", "or: [")
    shown = tocsin("apply", "-f", written(tmp_path, changed))
    assert "0 created, 1 changed, 0 deleted, 2 unchanged" in shown
    assert [store.find(name).state for name in ("middle", "top")] == [State.ALARM] * 2


def test_what_leads_nowhere_is_told_with_its_place(tocsin: Tocsin, tmp_path: Path) -> None:
    result = tocsin.run("apply", "-f", written(tmp_path, FILE))
    assert result.exit_code == 2
    assert "there is no alarm 'there before'" in result.stderr
    assert "alarms.yaml:" in result.stderr


def test_a_cycle_in_files_is_refused(tocsin: Tocsin, store: SqlStore, tmp_path: Path) -> None:
    cycle = FILE.replace("{alarm: there before}", "{alarm: top}")
    result = tocsin.run("apply", "-f", written(tmp_path, cycle))
    assert result.exit_code == 2
    assert "would refer to itself: " in result.stderr
    assert store.counts().alarms == 0


def test_pruning_keeps_what_another_alarm_refers_to(
    tocsin: Tocsin, store: SqlStore, tmp_path: Path
) -> None:
    store.create(an_alarm(name="there before", all_projects=True))
    tocsin("apply", "-f", written(tmp_path, FILE))
    less = FILE.replace("{alarm: leaf}, ", "").replace(
        "  - {name: leaf, event_rule: {event_type: b}}\n", ""
    )
    store.create(a_composite(any_of(store.find("leaf")), name="by hand", all_projects=True))
    result = tocsin.run("apply", "-f", written(tmp_path, less), "--prune")
    assert result.exit_code == 2
    assert "alarm 'leaf' is referenced by 'by hand'" in result.stderr

    store.delete(store.find("by hand").alarm_id)
    assert "1 deleted" in tocsin("apply", "-f", written(tmp_path, less), "--prune")


def test_what_was_exported_applies_to_an_empty_database(store: SqlStore, tmp_path: Path) -> None:
    leaf = store.create(an_alarm(name="leaf", all_projects=True))
    top = store.create(
        a_composite(all_of(any_of(leaf), a_rule("a")), name="top", all_projects=True)
    )
    path = written(tmp_path, Tocsin(store, export)("export"))
    other_url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    with SqlStore.open(DatabaseSettings(url=other_url), clock=lambda: NOON) as other:
        Tocsin(other, apply)("apply", "-f", path)
        assert other.get(top.alarm_id).rule == top.rule
        assert other.get(top.alarm_id).description == "composite alarm rule"
