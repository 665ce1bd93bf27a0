"""API tokens and the history of changes, on each kind of database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline.access import Role
from pipeline.access.tokens import Token, hashed
from pipeline.dispatch import FilterEntry, TargetEntry
from pipeline.errors import Conflict, InvalidValue, NotFound, Unauthenticated
from pipeline.retry import DeadLetter
from pipeline.store.access import Action, StoredToken
from pipeline.store.applying import Wanted
from pipeline.store.base import RejectedEvent
from pipeline.store.retention import Kept
from pipeline.store.routing import Create, Delete, Update
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON, a_caller
from store.storing import Clock, a_due_delivery, an_attempt
from store.test_routing_entries import Sealing

ANNA = a_caller("anna", project_id="p-1")
DAY = timedelta(days=1)
PHONE = TargetEntry("phone", type="webhook", options={"url": "https://r.example"},
                    secrets={"token": "one", "other": "same"})  # fmt: skip


def a_token(token_id: str = "aa", name: str = "", **changes: Any) -> StoredToken:
    token = Token(token_id, name or f"token-{token_id}", Role.AUDIT, NOON, **changes)
    return StoredToken(token, hashed(f"secret of {token_id}"))


def a_dead_letter(store: SqlStore) -> str:
    """The id of a delivery that has died."""
    delivery_id = a_due_delivery(store)
    (delivery,) = store.claim(1, DAY, NOON)
    store.finish([(delivery, an_attempt(delivery), DeadLetter("given up"))])
    return delivery_id


def told(store: SqlStore, **which: Any) -> list[tuple[str, str, Action]]:
    """What the history says, oldest first."""
    found = [entry.change for entry in store.changes(**which)]
    return [(change.kind, change.name, change.action) for change in reversed(found)]


def test_a_token_comes_back_as_it_was_kept(store: SqlStore) -> None:
    stored = a_token(
        projects=frozenset({"p-1", "ü"}), names=frozenset(), made_by="anna", expires_at=NOON + DAY
    )
    store.create_token(stored, ANNA)

    assert store.token_of_id("aa") == stored
    assert store.token("aa") == store.token("token-aa") == stored.token
    store.token_used("aa", NOON + DAY)
    assert store.token("aa") == replace(stored.token, last_used_at=NOON + DAY)
    assert store.token_of_id("bb") is None
    with pytest.raises(NotFound, match="Did you mean 'token-aa'"):
        store.token("token-ab")


def test_a_name_belongs_to_one_token_at_a_time(store: SqlStore) -> None:
    store.create_token(a_token("aa", "ops"))
    with pytest.raises(Conflict, match="already a token named ops"):
        store.create_token(a_token("bb", "ops"))
    store.revoke_token("aa", NOON)
    store.create_token(a_token("cc", "ops"))

    assert store.token("ops").token_id == "cc"
    assert told(store) == [
        ("token", "ops", Action.CREATE),
        ("token", "ops", Action.DELETE),
        ("token", "ops", Action.CREATE),
    ]


def test_a_token_ends_with_all_that_were_made_with_it(store: SqlStore) -> None:
    for token_id, made_with in (("aa", ""), ("bb", "aa"), ("cc", "bb"), ("dd", "")):
        store.create_token(a_token(token_id, made_with=made_with))
    store.revoke_token("bb", NOON + DAY)

    ended = store.revoke_token("aa", NOON + 2 * DAY)

    assert [token.token_id for token in ended] == ["aa"]
    revoked = {token.token_id: token.revoked_at for token in store.tokens()}
    assert revoked == {"aa": NOON + 2 * DAY, "bb": NOON + DAY, "cc": NOON + DAY, "dd": None}
    assert store.revoke_token("aa", NOON + 3 * DAY) == []
    with pytest.raises(NotFound):
        store.revoke_token("zz", NOON)


def test_a_token_that_was_revoked_makes_no_other(store: SqlStore) -> None:
    store.create_token(a_token("aa"))
    store.revoke_token("aa", NOON)
    for made_with in ("aa", "zz"):
        with pytest.raises(Unauthenticated, match="that you showed was revoked"):
            store.create_token(a_token("bb", made_with=made_with))
    assert [token.token_id for token in store.tokens()] == ["aa"]


def test_changes_say_who_when_and_what(store: SqlStore, clock: Clock) -> None:
    urgent = FilterEntry("urgent", min_severity="error")
    store.change_entries([Create(urgent)], ANNA)
    clock.pass_time(hours=1)
    store.change_entries([Update(replace(urgent, min_severity="critical", comment="wakes"))])

    update, create = store.changes()

    assert (create.user_id, create.project_id, create.timestamp) == ("anna", "p-1", NOON)
    assert create.change.changed == {"min-severity": (None, "error")}
    assert (update.user_id, update.timestamp) == ("", NOON + timedelta(hours=1))
    assert update.change.changed == {
        "min-severity": ("error", "critical"),
        "comment": (None, "wakes"),
    }
    assert store.changes(since=NOON + timedelta(minutes=1)) == [update]
    assert store.changes(before=update.sequence) == [create]
    assert store.changes(limit=1) == [update]
    assert store.changes(kind="target") == store.changes(name="x") == store.changes(names=()) == []


def test_only_what_changed_is_named(database_url: str) -> None:
    with SqlStore.open(DatabaseSettings(url=database_url), sealer=Sealing()) as store:
        store.change_entries([Create(PHONE)])
        store.change_entries([Update(replace(PHONE, secrets={"token": "two", "other": "***"}))])
        store.change_entries([Update(replace(PHONE, secrets={"token": "two", "other": "same"}))])
        store.change_entries([Delete("phone")])

        deleted, update, create = [entry.change for entry in store.changes()]

    assert create.changed["token"] == create.changed["other"] == (None, "***")
    assert update.changed == {"token": ("***", "***")}
    assert deleted.changed["token"] == ("***", None)


def test_a_built_in_that_is_changed_and_reset_is_updated(store: SqlStore) -> None:
    target = store.entry("mail-to-root").entry
    store.change_entries([Update(replace(target, disable=True))])
    store.change_entries([Delete("mail-to-root")])

    reset, disabled = [entry.change for entry in store.changes()]

    assert (disabled.action, disabled.changed) == (Action.UPDATE, {"disable": (None, True)})
    assert (reset.action, reset.changed) == (Action.UPDATE, {"disable": (True, None)})


def test_what_files_change_is_in_the_history(store: SqlStore) -> None:
    made = [Create(FilterEntry("urgent", min_severity="error"))]
    store.apply(Wanted((), (), (), made, "default", ()), ANNA)

    (entry,) = store.changes()
    assert (entry.change.name, entry.user_id) == ("urgent", "anna")


def test_a_change_that_fails_leaves_no_line(store: SqlStore) -> None:
    good = Create(FilterEntry("urgent", min_severity="error"))
    bad = Create(TargetEntry("phone", type="webhook", filter="nobody"))
    with pytest.raises(InvalidValue):
        store.change_entries([good, bad])
    assert store.changes() == []


def test_history_and_tokens_that_ended_go_when_they_are_old(store: SqlStore, clock: Clock) -> None:
    store.create_token(a_token("aa"))
    store.create_token(a_token("bb", expires_at=NOON + DAY))
    store.create_token(a_token("cc"))
    store.revoke_token("cc", NOON + 2 * DAY)
    clock.pass_time(days=3)
    store.change_entries([Create(FilterEntry("urgent", min_severity="error"))])

    assert store.prunable(Kept.TOKENS, NOON + 2 * DAY) == 1
    assert list(store.prune(Kept.TOKENS, NOON + 3 * DAY, 1)) == [1, 1]
    assert [token.token_id for token in store.tokens()] == ["aa"]
    assert store.prunable(Kept.CHANGES, NOON + 3 * DAY) == 4
    assert sum(store.prune(Kept.CHANGES, NOON + 3 * DAY, 500)) == 4
    assert told(store) == [("filter", "urgent", Action.CREATE)]


def test_what_people_do_to_what_waits_is_in_the_history(store: SqlStore) -> None:
    first, _ = a_dead_letter(store), a_dead_letter(store)
    rejected = RejectedEvent("r-1", "bad", b"{", None, {}, "t", NOON)
    with store.begin() as transaction:
        transaction.save_rejected([rejected])
    store.replay_dead(NOON, first, by=ANNA)
    store.replay_dead(NOON, "nothing", by=ANNA)
    store.purge_dead(by=ANNA)
    assert not store.enable("https://u:geheim@r.example/hook", ANNA)
    for _ in "12":
        store.forget_rejected("r-1", ANNA)

    assert told(store) == [
        ("dead-letter", first, Action.UPDATE),
        ("dead-letter", "all", Action.DELETE),
        ("rejected-event", "r-1", Action.DELETE),
    ]
    assert {entry.user_id for entry in store.changes()} == {"anna"}
    assert store.changes(kind="dead-letter")[0].change.changed == {"count": (None, 1)}
