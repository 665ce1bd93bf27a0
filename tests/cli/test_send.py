"""`tocsin send`: notifications of people's own (notifications 17, 19)."""

from __future__ import annotations

import pytest

from pipeline.cli.send import send
from pipeline.dispatch import FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.store.routing import Create
from pipeline.store.sql import SqlStore

from cli.application import At, Tocsin


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    store.change_entries(
        [
            Create(TargetEntry("one", "log")),
            Create(TargetEntry("two", "log")),
            Create(TargetEntry("off", "log", disable=True)),
            Create(FilterEntry("grave", "error")),
            Create(TargetEntry("held", "log", filter="grave")),
            Create(GroupEntry("both", ("one", "two"))),
            Create(MatcherEntry("to-one", ("one",), match_field=("exact:host=a",))),
        ]
    )
    return Tocsin(store, send, at=at)


def sent_to(store: SqlStore) -> set[str]:
    return {record.action for record in store.deliveries()}


def test_it_goes_where_the_matchers_say(tocsin: Tocsin, store: SqlStore) -> None:
    said = tocsin("send", "message", "--field", "text=hello = world", "--field", "host=a")

    assert "target:one\n" in said
    assert sent_to(store) == {"target:one"}
    (record,) = store.deliveries()
    told = store.delivery(record.delivery_id)[1].notification
    assert (told.kind, told.severity) == ("message", "info")
    assert told.fields == {"text": "hello = world", "host": "a"}


def test_it_goes_to_those_that_are_named_and_nobody_else(tocsin: Tocsin, store: SqlStore) -> None:
    fields = ("--field", "text=hello", "--field", "host=a")

    tocsin("send", "message", *fields, "--target", "two")
    assert sent_to(store) == {"target:two"}

    said = tocsin("send", "message", *fields, "--target", "both", "--target", "one")
    assert said.count("target:") == 2


def test_the_policy_holds_unless_a_target_is_named(tocsin: Tocsin, store: SqlStore) -> None:
    backup = ("send", "backup", "--field", "job=nightly", "--field", "status=ok")
    updates = ("send", "package-updates", "--field", "host=a", "--field", "updates=x")

    assert "is auto: it is told from severity error on" in tocsin.fails(*backup)
    assert "policy of package-updates is never" in tocsin.fails(*updates)
    assert sent_to(store) == set()

    tocsin(*backup, "--severity", "error", "--field", "host=a")
    tocsin(*updates, "--target", "two")
    assert sent_to(store) == {"target:one", "target:two"}


@pytest.mark.parametrize(
    ("name", "reason"), [("off", "target off is disabled"), ("held", "filter grave")]
)
def test_it_is_said_why_nobody_is_told(
    tocsin: Tocsin, store: SqlStore, name: str, reason: str
) -> None:
    said = tocsin.fails("send", "message", "--field", "text=hello", "--target", name)

    assert said.startswith("Nobody is told: ")
    assert reason in said
    assert sent_to(store) == set()


def test_fields_that_break_the_contract_are_refused_all_at_once(tocsin: Tocsin) -> None:
    said = tocsin.fails("send", "backup", "--field", "size=big", code=2)

    assert "job: is missing" in said
    assert "status: is missing" in said
    assert "size: expects" in said


def test_who_is_not_there_is_named(tocsin: Tocsin) -> None:
    gone = ("send", "message", "--field", "text=x", "--target", "bth")

    assert "no target and no group is called 'bth'" in tocsin.fails(*gone, code=2)
    assert "Did you mean 'both'?" in tocsin.fails(*gone, code=2)
    assert "Did you mean 'message'?" in tocsin.fails("send", "mesage")
