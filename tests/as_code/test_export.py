"""What is exported applies to the same, here and elsewhere."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline import yaml_source
from pipeline.alarms.alarm import Alarm, Condition, EventRule, Severity, TimeConstraint
from pipeline.as_code import exported, plan
from pipeline.as_code.files import items_of
from pipeline.as_code.wanted import Making
from pipeline.cli.as_code import apply, export
from pipeline.dispatch import (
    Entry,
    FilterEntry,
    GroupEntry,
    MatcherEntry,
    TargetEntry,
)
from pipeline.dispatch.builtins import BUILTINS
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.store.applying import Present
from pipeline.store.routing import Create, Delete
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets import check_action, checked_options

from builders import NOON, an_alarm
from cli.application import Tocsin

NUMBERS = count(1)
MAKING = Making(check_action, checked_options, lambda: f"new-{next(NUMBERS)}", NOON)


def open_store(path: Path, name: str) -> SqlStore:
    sealer = KeyFileSealer(KeyFile(path / f"{name}.key"))
    settings = DatabaseSettings(url=f"sqlite:///{path}/{name}.sqlite")
    return SqlStore.open(settings, clock=lambda: NOON, sealer=sealer)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(tmp_path, "here") as store:
        store.create(
            an_alarm(name="größer", alarm_actions=("https://u:geheim@h.example/", "target:phone"))
        )
        store.change_entries(
            [
                Create(
                    TargetEntry("phone", "gotify", {"server": "http://g"}, {"token": "geheim"})
                ),
                Create(
                    TargetEntry("hook", "gotify", {"server": "http://g"}, {"token": "${env:HOOK}"})
                ),
            ]
        )
        yield store


def test_export_without_secrets_applies_to_its_own_database(
    store: SqlStore, tmp_path: Path
) -> None:
    tocsin = Tocsin(store, apply, export)
    text = tocsin("export")
    file = tmp_path / "all.yaml"
    file.write_text(text)

    assert "geheim" not in text
    assert "größer" in text
    assert "${env:HOOK}" in text
    assert tocsin("apply", "-f", str(file)).startswith("0 created, 0 changed, 0 deleted, 3 unch")


def test_export_without_secrets_says_elsewhere_what_is_missing(
    store: SqlStore, tmp_path: Path
) -> None:
    Tocsin(store, export)("export", "-o", f"{tmp_path}/out/")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "alarms.yaml",
        "targets.yaml",
    ]
    with open_store(tmp_path, "there") as other:
        said = Tocsin(other, apply).fails("apply", "-f", f"{tmp_path}/out", code=2)

    assert "the secret is missing" in said
    assert "the secret token has no value yet" in said


def test_export_into_a_folder_leaves_nothing_of_an_earlier_one(
    store: SqlStore, tmp_path: Path
) -> None:
    tocsin = Tocsin(store, export)
    tocsin("export", "-o", f"{tmp_path}/out/")
    store.change_entries([Delete("hook")])
    store.delete(store.find("größer").alarm_id)
    store.change_entries([Delete("phone")])

    tocsin("export", "-o", f"{tmp_path}/out/")

    texts = [path.read_text() for path in sorted((tmp_path / "out").iterdir())]
    assert texts == ["alarms: []\n", "targets: []\n"]


def test_export_with_secrets_makes_the_same_elsewhere_and_is_its_owners_alone(
    store: SqlStore, tmp_path: Path
) -> None:
    file = tmp_path / "all.yaml"
    file.write_text("readable to all")
    Tocsin(store, export)("export", "--with-secrets", "-o", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with open_store(tmp_path, "there") as other:
        Tocsin(other, apply)("apply", "-f", str(file))
        here, there = store.present((), (), None), other.present((), (), None)
    assert here.entries == there.entries
    assert exported(here, with_secrets=True) == exported(there, with_secrets=True)
    assert here.alarms[0].alarm_id == there.alarms[0].alarm_id


TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\x85\u2028\u2029"), max_size=12
)
NAMES = st.from_regex(r"[a-z_][a-z0-9._-]{1,9}", fullmatch=True)
ALARMS = st.builds(
    Alarm,
    alarm_id=st.uuids().map(str),
    name=TEXT,
    rule=st.builds(
        EventRule,
        st.sampled_from(["*", "a.*", "compute.instance.create.end"]),
        st.lists(
            st.builds(Condition, st.just("traits.x"), st.sampled_from(["eq", "lt"]), TEXT).filter(
                lambda c: c.op == "eq"
            ),
            max_size=2,
        ).map(tuple),
    ),
    description=TEXT.filter(bool),
    timestamp=st.just(NOON),
    state_timestamp=st.just(NOON),
    enabled=st.booleans(),
    severity=st.sampled_from(Severity),
    alarm_actions=st.lists(
        # The last but one is shown as the one before it is.
        st.sampled_from(["log://", "http://a:b@c/?token=x", "http://a:z@c/?token=y", "test://"]),
        unique=True,
    ).map(tuple),
    repeat_actions=st.booleans(),
    time_constraints=st.lists(
        st.builds(
            TimeConstraint,
            TEXT,
            st.just("0 22 * * *"),
            st.integers(0, 1000),
            st.sampled_from(["", "UTC"]),
            TEXT.filter(bool),
        ),
        max_size=2,
        unique_by=lambda constraint: constraint.name,
    ).map(tuple),
    project_id=TEXT,
    user_id=TEXT,
    all_projects=st.booleans(),
)


@st.composite
def entries(draw: Any) -> dict[str, Entry]:
    names = draw(st.lists(NAMES.filter(lambda n: n not in BUILTINS), unique=True, max_size=6))
    found: dict[str, Entry] = dict(BUILTINS)
    targets: list[str] = []
    filters: list[str] = []
    for name in names:
        kind = draw(st.sampled_from(["target", "filter", "group", "matcher"]))
        common = {"comment": draw(TEXT), "disable": draw(st.booleans())}
        some = tuple(draw(st.lists(st.sampled_from(targets), unique=True))) if targets else ()
        if kind == "target":
            secrets = {"token": draw(TEXT.filter(str.strip))}
            options = {"server": "http://g.example"}
            filter = draw(st.sampled_from(["", *filters]))
            found[name] = TargetEntry(name, "gotify", options, secrets, filter=filter, **common)
            targets.append(name)
        elif kind == "filter":
            found[name] = FilterEntry(name, "error", **common)
            filters.append(name)
        elif kind == "group":
            found[name] = GroupEntry(name, some, **common)
        else:
            mode = draw(st.sampled_from(["all", "any"]))
            found[name] = MatcherEntry(name, some, ("exact:a=b",), mode=mode, **common)
    return found


@given(st.lists(ALARMS, max_size=3, unique_by=lambda alarm: alarm.alarm_id), entries())
def test_export_and_apply_are_each_others_inverse(
    alarms: list[Alarm], entries: dict[str, Entry]
) -> None:
    present = Present(alarms, entries, dict.fromkeys(entries, ""), {}, set())
    nothing = Present([], dict(BUILTINS), dict.fromkeys(BUILTINS, ""), {}, set())

    for with_secrets, there in ((True, nothing), (True, present), (False, present)):
        texts = exported(present, with_secrets=with_secrets)
        items = [
            item
            for text in texts.values()
            for item in items_of(yaml_source.load(text, "x.yaml"), [])
        ]
        planned = plan(items, there, MAKING, owner="default")
        if there is present:
            assert planned.changes == []
        else:
            assert {alarm.alarm_id: alarm for alarm in planned.wanted.created} == {
                alarm.alarm_id: alarm for alarm in alarms
            }
            made = {c.entry.name: c.entry for c in planned.wanted.entries if isinstance(c, Create)}
            assert made == {n: entry for n, entry in entries.items() if n not in BUILTINS}


def test_export_is_one_document_with_each_list_once(store: SqlStore) -> None:
    assert list(yaml.safe_load(Tocsin(store, export)("export"))) == ["alarms", "targets"]
