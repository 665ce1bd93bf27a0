"""Rejected events are listed, shown and replayed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.cli.rejected import rejected
from pipeline.store.base import RejectedEvent
from pipeline.store.sql import SqlStore

from builders import NOON
from cli.application import At, Tocsin


def a_rejected_event(rejected_id: str, minutes: int = 0, truncated: bool = False) -> RejectedEvent:
    return RejectedEvent(
        rejected_id=rejected_id,
        reason="the body is no JSON",
        body=b"\xffnonsense",
        content_type="application/json",
        headers={"h": 1},
        source="replay e.jsonl:1",
        received_at=NOON + timedelta(minutes=minutes),
        truncated=truncated,
    )


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    """Two rejected events, `aa11` the older one."""
    with store.begin() as transaction:
        transaction.save_rejected([a_rejected_event("aa11"), a_rejected_event("bb22", minutes=1)])
    return Tocsin(store, rejected, at=at)


def test_the_newest_is_listed_first(tocsin: Tocsin) -> None:
    assert (
        tocsin("rejected", "list")
        == """\
+-------------+----------------------+------------------+---------------------+
| rejected_id | received_at          | source           | reason              |
+-------------+----------------------+------------------+---------------------+
| bb22        | 2026-01-02T12:01:00Z | replay e.jsonl:1 | the body is no JSON |
| aa11        | 2026-01-02T12:00:00Z | replay e.jsonl:1 | the body is no JSON |
+-------------+----------------------+------------------+---------------------+
"""
    )
    assert (
        tocsin("rejected", "list", "--limit", "1", "-f", "value", "-c", "rejected_id") == "bb22\n"
    )


def test_one_is_shown_by_the_beginning_of_its_id(tocsin: Tocsin) -> None:
    assert (
        tocsin("rejected", "show", "aa")
        == """\
+--------------+----------------------+
| Field        | Value                |
+--------------+----------------------+
| rejected_id  | aa11                 |
| reason       | the body is no JSON  |
| source       | replay e.jsonl:1     |
| received_at  | 2026-01-02T12:00:00Z |
| content_type | application/json     |
| headers      | {"h": 1}             |
| truncated    | False                |
| body         | \\xffnonsense         |
+--------------+----------------------+
"""
    )


def test_an_unknown_one_is_an_error(tocsin: Tocsin) -> None:
    assert tocsin.fails("rejected", "show", "cc") == "Error: Rejected event cc not found\n"


def test_one_that_is_understood_now_leaves_the_list(tocsin: Tocsin, store: SqlStore) -> None:
    assert tocsin("rejected", "replay", "aa") == "1 of 1 taken.\n"
    assert [one.rejected_id for one in tocsin.application.replayed] == ["aa11"]
    assert [one.rejected_id for one in store.rejected()] == ["bb22"]


def test_all_can_be_replayed(tocsin: Tocsin, store: SqlStore) -> None:
    assert tocsin("rejected", "replay", "--all") == "2 of 2 taken.\n"
    assert store.rejected() == []
    assert tocsin("rejected", "replay", "--all") == "0 of 0 taken.\n"


def test_one_that_is_rejected_again_stays_and_says_why(tocsin: Tocsin, store: SqlStore) -> None:
    tocsin.application.rejects = "it is still no JSON"
    result = tocsin.run("rejected", "replay", "aa", "bb")
    assert (result.exit_code, result.stdout) == (1, "0 of 2 taken.\n")
    assert result.stderr == "aa11: it is still no JSON\nbb22: it is still no JSON\n"
    assert len(store.rejected()) == 2


def test_one_that_was_cut_cannot_be_replayed(tocsin: Tocsin, store: SqlStore) -> None:
    with store.begin() as transaction:
        transaction.save_rejected([a_rejected_event("cc33", truncated=True)])
    said = tocsin.fails("rejected", "replay", "cc")
    assert said == "cc33: its body was cut when it was stored; have it sent again\n"
    assert tocsin.application.replayed == []


@pytest.mark.parametrize("arguments", [(), ("aa", "--all")])
def test_which_ones_has_to_be_said(tocsin: Tocsin, arguments: tuple[str, ...]) -> None:
    said = tocsin.fails("rejected", "replay", *arguments, code=2)
    assert said == "Error: Say which: give ids, or --all.\n"
