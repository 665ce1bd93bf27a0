"""Events that a publisher did not take are listed, shown, tried again and purged."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from pipeline.cli.publications import publication
from pipeline.store.base import Publication
from pipeline.store.sql import SqlStore

from builders import NOON, an_event
from cli.application import At, Tocsin

SECRET = "https://u:s3cret@sink.example/e"


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    """Two of one publisher, put off, and one of another, which is the newest."""
    later = NOON + timedelta(hours=1)
    with store.begin() as transaction:
        transaction.save_publications(
            Publication(
                name,
                url,
                tuple(an_event(message_id=f"{name}-{number}") for number in range(size)),
                "no answer",
                attempts=7,
                due_at=later,
                created_at=NOON + timedelta(minutes=minutes),
            )
            for name, url, size, minutes in [
                ("aa11", SECRET, 2, 0),
                ("bb22", SECRET, 1, 1),
                ("cc33", "amqp://bus/?routing_key=e", 1, 2),
            ]
        )
    return Tocsin(store, publication, at=at)


def test_the_oldest_is_listed_first_and_no_secret_is_shown(tocsin: Tocsin) -> None:
    listed = json.loads(tocsin("publication", "list", "-f", "json"))

    assert [(one["publication_id"], one["events"]) for one in listed] == [
        *(("aa11", 2), ("bb22", 1), ("cc33", 1))
    ]
    assert listed[0]["publisher"] == "https://u:***@sink.example/e"
    assert listed[0]["due_at"] == "2026-01-02T13:00:00Z"


@pytest.mark.parametrize("publisher", [SECRET, "https://u:***@sink.example/e"])
def test_a_publisher_is_named_with_its_secret_or_as_it_is_shown(
    tocsin: Tocsin, publisher: str
) -> None:
    ids = tocsin(
        *("publication", "list", "--publisher", publisher, "-c", "publication_id"),
        *("-f", "value"),
    )

    assert ids.split() == ["aa11", "bb22"]


def test_one_is_shown_with_its_events_by_the_head_of_its_id(tocsin: Tocsin) -> None:
    shown = json.loads(tocsin("publication", "show", "aa", "-f", "json"))

    assert [event["message_id"] for event in shown["events"]] == ["aa11-0", "aa11-1"]
    assert shown["error"] == "no answer"


def test_a_publishers_are_due_again_as_if_for_the_first_time(
    tocsin: Tocsin, store: SqlStore
) -> None:
    told = tocsin("publication", "replay", "--publisher", SECRET)

    assert told == "2 publications due now. See: tocsin publication list\n"
    claimed = store.claim_publications(9, timedelta(0), NOON + timedelta(minutes=1))
    assert [(one.publication_id, one.attempts) for one in claimed] == [("aa11", 1), ("bb22", 1)]


def test_one_is_purged_for_good(tocsin: Tocsin, store: SqlStore) -> None:
    assert tocsin("publication", "purge", "bb", "--yes") == "1 publication deleted.\n"

    assert [one.publication_id for one in store.publications()] == ["aa11", "cc33"]


def test_all_are_purged_only_when_that_is_said(tocsin: Tocsin, store: SqlStore) -> None:
    tocsin.fails("publication", "purge", "--yes", code=2)
    tocsin.fails("publication", "purge", "aa11", "--all", "--yes", code=2)
    assert store.counts().unpublished_events == 4

    assert tocsin("publication", "purge", "--all", "--yes") == "3 publications deleted.\n"
    assert store.counts().unpublished_events == 0


def test_a_publisher_that_nothing_waits_for_is_said(tocsin: Tocsin) -> None:
    assert "nothing waits for amqp://bus/?routing_key=f. Did you mean" in tocsin.fails(
        "publication", "list", "--publisher", "amqp://bus/?routing_key=f", code=2
    )


def test_who_purges_is_asked_about_what(tocsin: Tocsin) -> None:
    asked = tocsin.run("publication", "purge", "--all", input="n\n")
    assert asked.exit_code == 1
    assert "Delete all publications for good, events included?" in asked.stderr
    asked = tocsin.run("publication", "purge", "aa11", input="n\n")
    assert "Delete 1 publication for good, events included" in asked.stderr
    assert "aa11" in tocsin("publication", "list")
