"""`tocsin token` and `tocsin history`, on the local store and on a server alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.access.tokens import hashed, parsed
from pipeline.cli.filters import filter_
from pipeline.cli.history import history
from pipeline.cli.targets import target
from pipeline.cli.tokens import token_
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON
from cli.application import At, Tocsin
from store.test_routing_entries import Sealing


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    """As all tests of commands have it, but with a key for secrets."""
    settings = DatabaseSettings(url=sqlite_url)
    with SqlStore.open(settings, clock=lambda: NOON, sealer=Sealing()) as store:
        yield store


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, token_, history, target, filter_, at=at)


def made(tocsin: Tocsin, *words: str) -> Any:
    return json.loads(tocsin("token", "create", *words, "-f", "json"))


def listed(tocsin: Tocsin) -> dict[str, str]:
    rows = json.loads(tocsin("token", "list", "-f", "json"))
    return {row["name"]: row["state"] for row in rows}


def changes(tocsin: Tocsin, *words: str) -> list[Any]:
    found: list[Any] = json.loads(tocsin("history", *words, "-f", "json"))
    return found


def test_a_token_is_made_shown_and_revoked(tocsin: Tocsin, store: SqlStore) -> None:
    token = made(tocsin, "ops", "--role", "manage", "--expires", "90d")

    spelled = parsed(token.pop("token"))
    assert spelled is not None
    assert json.loads(tocsin("token", "show", "ops", "-f", "json")) == token
    assert (token["role"], token["state"], token["projects"], token["names"]) == (
        *("manage", "active"),
        *(None, None),
    )
    assert token["expires_at"].startswith("2026-04-02T12:00")
    stored = store.token_of_id(spelled.token_id)
    assert stored is not None
    assert stored.secret_hash == hashed(spelled.secret)

    revoked = json.loads(tocsin("token", "revoke", "ops", "-f", "json"))
    assert [row["name"] for row in revoked] == ["ops"]
    assert listed(tocsin) == {"ops": "revoked"}


def test_a_secret_is_nowhere_in_the_database(tocsin: Tocsin, store: SqlStore) -> None:
    spelled = parsed(made(tocsin, "ops", "--role", "admin")["token"])
    assert spelled is not None
    with store._database.read() as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert spelled.token_id in dump
    assert spelled.secret not in dump


def test_what_it_is_held_to_is_shown(tocsin: Tocsin) -> None:
    held = made(
        *(tocsin, "shop", "--role", "admin", "--project", "p-2", "--project", "p-1"),
        *("--name", "shop-mail"),
    )
    assert (held["projects"], held["names"]) == (["p-1", "p-2"], ["shop-mail"])
    assert made(tocsin, "view", "--role", "audit", "--project", "p-1")["names"] == []
    shown = tocsin("token", "show", "view")
    assert "| names        | none" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("x", "--role", "audit"), "is no name"),
        (("ops", "--role", "owner"), "'owner' is not one of"),
        (("ops", "--role", "audit", "--expires", "soon"), "is no time"),
        (("ops", "--role", "audit", "--expires", "2020-01-01"), "this is over"),
        (("ops", "--role", "audit", "--project", ""), "projects.0"),
    ],
)
def test_unfit_tokens_are_refused(tocsin: Tocsin, words: tuple[str, ...], said: str) -> None:
    assert said in tocsin.fails("token", "create", *words, code=2)
    assert listed(tocsin) == {}


def test_a_name_is_that_of_one_token_until_it_is_revoked(tocsin: Tocsin) -> None:
    made(tocsin, "ops", "--role", "audit")
    said = tocsin.fails("token", "create", "ops", "--role", "audit", code=2)
    assert "there is already a token named ops" in said
    tocsin("token", "revoke", "ops")
    again = made(tocsin, "ops", "--role", "admin")
    shown = json.loads(tocsin("token", "show", "ops", "-f", "json"))
    assert shown["token_id"] == again["token_id"]
    assert "Token opps not found. Did you mean 'ops'?" in tocsin.fails("token", "show", "opps")


def test_the_history_says_what_was_changed(tocsin: Tocsin) -> None:
    tocsin("target", "create", "hook", "--type", "aodh", "--set", "url=https://r.example/hook")
    tocsin("target", "update", "hook", "--comment", "one")
    tocsin("target", "update", "hook", "--unset", "comment")
    tocsin("target", "delete", "hook")
    made(tocsin, "ops", "--role", "audit")

    found = changes(tocsin)

    assert [(row["action"], row["kind"], row["name"]) for row in found] == [
        ("create", "token", "ops"),
        ("delete", "target", "hook"),
        ("update", "target", "hook"),
        ("update", "target", "hook"),
        ("create", "target", "hook"),
    ]
    assert [row["changed"] for row in changes(tocsin, "--name", "hook", "--limit", "3")][1:] == [
        {"comment": {"before": "one", "after": None}},
        {"comment": {"before": None, "after": "one"}},
    ]
    assert [row["name"] for row in changes(tocsin, "--kind", "token")] == ["ops"]
    assert changes(tocsin, "--since", "2026-01-03") == []
    assert len(changes(tocsin, "--since", "2026-01-02")) == 5
    assert "comment: one → unset" in tocsin("history", "--limit", "3")


def test_the_history_has_no_secrets(tocsin: Tocsin) -> None:
    given = ("--type", "webhook", "--set", "url=https://u:geheim@r.example/")
    tocsin("target", "create", "hook", *given)
    tocsin("target", "update", "hook", "--set", "url=https://u:anders@r.example/")

    update, create = changes(tocsin)

    assert update["changed"] == {"url": {"before": "***", "after": "***"}}
    assert create["changed"]["url"] == {"before": None, "after": "***"}


def test_what_failed_is_not_in_the_history(tocsin: Tocsin) -> None:
    tocsin.fails("filter", "delete", "nobody")
    tocsin.fails("filter", "create", "urgent", "--min-severity", "eror", code=2)
    assert changes(tocsin) == []


def test_alarms_have_histories_of_their_own(tocsin: Tocsin) -> None:
    assert "tocsin alarm history ALARM" in tocsin.fails("history", "--kind", "alarm", code=2)
