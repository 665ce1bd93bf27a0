"""Targets, groups, filters and matchers are kept as they were set up, and lead to something."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.dispatch import FilterEntry, GroupEntry, MatcherEntry, Origin, TargetEntry
from pipeline.errors import Conflict, InvalidValue, NotFound
from pipeline.store.routing import Create, Delete, Update
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import an_alarm

MAIL = TargetEntry("mail", "smtp", {"server": "mail.example", "mailto": ["a@example"]})
GOTIFY = TargetEntry("phone", "gotify", {"server": "https://g.example"}, {"token": "geheim"})
NIGHT = MatcherEntry("nights", ("mail",), match_calendar=("22-6",), mode="any")


class Sealing:
    """Seals so that a test can see whether it was done; with another key it opens nothing."""

    def __init__(self, key: str = "k1") -> None:
        self.key = key

    def seal(self, text: str, sealed: Collection[str] = ()) -> str:
        return f"{self.key}:{base64.b64encode(text.encode()).decode()}"

    def open(self, sealed: str) -> str:
        key, _, body = sealed.partition(":")
        if key != self.key:
            raise InvalidValue("the key is another")
        return base64.b64decode(body).decode()


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), sealer=Sealing()) as opened:
        yield opened


def make(store: SqlStore, *entries: Any) -> None:
    store.change_entries([Create(entry) for entry in entries])


def change(store: SqlStore, entry: Any, digest: str | None = None) -> None:
    store.change_entries([Update(entry, digest)])


def remove(store: SqlStore, *names: str) -> None:
    store.change_entries([Delete(name) for name in names])


def in_clear(store: SqlStore) -> dict[str, Any]:
    snapshot = store.routing_after(-1, with_secrets=True)
    assert snapshot is not None
    return {entry.name: entry for entry in snapshot.entries}


@pytest.mark.parametrize(
    "entries",
    [
        [MAIL],
        [MAIL, GroupEntry("admins", ("mail", "mail-to-root"), "they who mend", True)],
        [FilterEntry("urgent", "error", "wakes people"), replace(MAIL, filter="urgent")],
        [MAIL, NIGHT],
        [MAIL, replace(GOTIFY, secrets={}, fallback="mail", guards={"rate": "5/min"})],
    ],
    ids=["target", "group", "filter", "matcher", "fallback"],
)
def test_entry_is_read_as_it_was_made(store: SqlStore, entries: list[Any]) -> None:
    make(store, *entries)

    for entry in entries:
        assert store.entry(entry.name).entry == entry


def test_entries_are_listed_by_name_with_the_built_in_ones(store: SqlStore) -> None:
    make(store, MAIL, NIGHT)

    listed = {each.entry.name: each.entry.origin for each in store.entries()}

    assert list(listed) == ["default-matcher", "mail", "mail-to-root", "nights"]
    assert listed["mail-to-root"] is Origin.BUILTIN
    assert listed["mail"] is Origin.USER_CREATED


def test_names_are_unique_across_kinds_and_built_in_ones(store: SqlStore) -> None:
    make(store, MAIL)

    with pytest.raises(Conflict, match="already a target named mail"):
        make(store, FilterEntry("mail", "error"))
    with pytest.raises(Conflict, match="already a matcher named default-matcher"):
        make(store, GroupEntry("default-matcher", ()))


def test_secret_is_shown_to_nobody_and_written_nowhere_in_clear(store: SqlStore) -> None:
    make(store, GOTIFY)

    assert store.entry("phone").entry.secrets == {"token": "***"}  # type: ignore[union-attr]
    assert in_clear(store)["phone"].secrets == {"token": "geheim"}
    with store._database.read() as connection:
        rows = connection.execute(text("SELECT * FROM routing_entry")).all()
    assert "geheim" not in str(rows)
    snapshot = store.routing_after(-1, with_secrets=False)
    assert snapshot is not None
    assert "geheim" not in str([getattr(each, "secrets", "") for each in snapshot.entries])


def test_secret_that_is_named_without_a_value_is_kept(store: SqlStore) -> None:
    hook = TargetEntry("hook", "webhook", {}, {"secret": {"a": "one", "b": "two"}, "token": "t"})
    make(store, hook)

    change(store, replace(hook, secrets={"secret": {"a": "***", "c": "three"}, "token": "***"}))

    assert in_clear(store)["hook"].secrets == {
        "secret": {"a": "one", "c": "three"},
        "token": "t",
    }


def test_secret_without_any_value_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidValue, match="the secret token has no value yet"):
        make(store, replace(GOTIFY, secrets={"token": "***"}))


def test_store_without_a_key_takes_no_secret(database_url: str) -> None:
    with (
        SqlStore.open(DatabaseSettings(url=database_url)) as store,
        pytest.raises(InvalidValue, match="no key"),
    ):
        make(store, GOTIFY)


def test_target_whose_secret_cannot_be_had_is_named_and_the_others_are_there(
    database_url: str,
) -> None:
    settings = DatabaseSettings(url=database_url)
    with SqlStore.open(settings, sealer=Sealing()) as store:
        make(store, GOTIFY, MAIL)
    with SqlStore.open(settings, sealer=Sealing("other")) as store:
        snapshot = store.routing_after(-1, with_secrets=True)

    assert snapshot is not None
    assert list(snapshot.unreadable) == ["phone"]
    assert "target phone: its secrets cannot be had" in snapshot.unreadable["phone"]
    assert MAIL in snapshot.entries


def test_change_of_what_was_changed_meanwhile_is_refused(store: SqlStore) -> None:
    make(store, MAIL)
    digest = store.entry("mail").digest
    change(store, replace(MAIL, comment="first"), digest)

    with pytest.raises(Conflict, match="has been changed meanwhile"):
        change(store, replace(MAIL, comment="second"), digest)
    with pytest.raises(Conflict, match="has been changed meanwhile"):
        store.change_entries([Delete("mail", digest)])
    assert store.entry("mail").entry.comment == "first"


def test_entry_that_is_still_used_is_not_deleted(store: SqlStore) -> None:
    make(
        store,
        FilterEntry("urgent", "error"),
        replace(MAIL, filter="urgent"),
        replace(GOTIFY, fallback="mail"),
        GroupEntry("admins", ("mail",), filter="urgent"),
        replace(NIGHT, targets=("mail", "admins")),
    )

    with pytest.raises(
        Conflict, match="mail is referenced by group admins, matcher nights, target phone"
    ):
        remove(store, "mail")
    with pytest.raises(Conflict, match="admins is referenced by matcher nights"):
        remove(store, "admins")
    with pytest.raises(Conflict, match="urgent is referenced by group admins, target mail"):
        remove(store, "urgent")

    remove(store, "mail", "admins", "urgent", "nights", "phone")
    assert [each.entry.name for each in store.entries()] == ["default-matcher", "mail-to-root"]


def test_target_that_an_alarm_tells_is_not_deleted(store: SqlStore) -> None:
    make(store, MAIL, replace(MAIL, name="mail_2"), GroupEntry("admins", ("mail",)))
    told = store.create(an_alarm(name="disk", ok_actions=("Target:mail", "log://")))
    store.create(an_alarm(name="other", alarm_actions=("group:admins",)))

    with pytest.raises(Conflict, match="mail is referenced by group admins, alarm 'disk'"):
        remove(store, "mail")
    with pytest.raises(Conflict, match="admins is referenced by alarm 'other'"):
        remove(store, "admins")
    remove(store, "mail_2")

    store.update(replace(told, ok_actions=()))
    with pytest.raises(Conflict, match=r"mail is referenced by group admins$"):
        remove(store, "mail")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (MatcherEntry("m1", ("mial",)), "matcher m1: target 'mial' does not exist.*'mail'"),
        (MatcherEntry("m1", ("urgent",)), "'urgent' is a filter; a target or group is needed"),
        (GroupEntry("g1", ("g0",)), "'g0' is a group; a target is needed"),
        (GroupEntry("g1", ("mail",), filter="mail"), "'mail' is a target; a filter is needed"),
        (replace(MAIL, name="m2", fallback="g0"), "'g0' is a group; a target is needed"),
        (replace(MAIL, name="m2", fallback="m2"), "its fallbacks lead back: m2 → m2"),
    ],
)
def test_reference_that_leads_nowhere_is_refused(store: SqlStore, entry: Any, said: str) -> None:
    make(store, MAIL, FilterEntry("urgent", "error"), GroupEntry("g0", ("mail",)))

    with pytest.raises(InvalidValue, match=said):
        make(store, entry)
    with pytest.raises(NotFound):
        store.entry(entry.name)


def test_every_reference_that_leads_nowhere_is_told(store: SqlStore) -> None:
    make(store, MAIL)

    with pytest.raises(InvalidValue) as raised:
        make(store, GroupEntry("gg", ("nope", "mial"), filter="urgent"))

    assert str(raised.value) == (
        "group gg: target 'nope' does not exist. Make that target first. "
        "group gg: target 'mial' does not exist. Make that target first. Did you mean 'mail'? "
        "group gg: filter 'urgent' does not exist. Make that filter first."
    )


def test_fallbacks_that_lead_back_are_refused(store: SqlStore) -> None:
    second = replace(MAIL, name="second", fallback="mail")
    make(store, MAIL, second)

    with pytest.raises(InvalidValue, match="its fallbacks lead back: mail → second → mail"):
        change(store, replace(MAIL, fallback="second"))


def test_entry_does_not_become_another_kind(store: SqlStore) -> None:
    make(store, MAIL)

    with pytest.raises(Conflict, match="mail is a target, not a group"):
        change(store, GroupEntry("mail", ()))


def test_modified_built_in_is_reset_by_its_deletion(store: SqlStore) -> None:
    present = store.entry("mail-to-root").entry
    change(store, replace(present, disable=True))  # type: ignore[type-var]

    assert store.entry("mail-to-root").entry.origin is Origin.MODIFIED_BUILTIN
    assert store.entry("mail-to-root").entry.disable
    remove(store, "mail-to-root")

    assert store.entry("mail-to-root").entry == present
    with pytest.raises(Conflict, match="built in and cannot be deleted"):
        remove(store, "mail-to-root")


def test_several_changes_are_made_all_or_none(store: SqlStore) -> None:
    make(store, MAIL)

    with pytest.raises(NotFound):
        store.change_entries([Create(NIGHT), Update(replace(MAIL, comment="x")), Delete("gone")])

    assert store.entry("mail").entry == MAIL
    with pytest.raises(NotFound):
        store.entry("nights")


def test_whoever_follows_reads_only_what_changed(store: SqlStore) -> None:
    first = store.routing_after(-1, with_secrets=False)
    assert first is not None
    assert store.routing_after(first.revision, with_secrets=False) is None

    make(store, MAIL)
    second = store.routing_after(first.revision, with_secrets=False)

    assert second is not None
    assert second.revision > first.revision
    assert MAIL in second.entries


def test_changes_of_entries_and_of_alarms_are_numbered_apart(store: SqlStore) -> None:
    before = store.routing_after(-1, with_secrets=False)
    alarms, _ = store.all_enabled()
    assert before is not None

    store.create(an_alarm())
    assert store.routing_after(before.revision, with_secrets=False) is None
    make(store, MAIL)
    assert store.changes_since(alarms).revision == alarms + 1


def test_of_two_who_change_the_same_at_once_one_is_refused(store: SqlStore) -> None:
    make(store, MAIL)
    digest = store.entry("mail").digest

    def attempt(comment: str) -> bool:
        try:
            change(store, replace(MAIL, comment=comment), digest)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(attempt, ["a", "b", "c", "d"]))

    assert results.count(True) == 1
    assert store.entry("mail").entry.comment == "abcd"[results.index(True)]
