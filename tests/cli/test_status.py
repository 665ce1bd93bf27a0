"""`tocsin status` and `tocsin top` show the whole, at both desks, and no secret of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from pipeline.access.settings import ClientSettings
from pipeline.cli.status import status
from pipeline.cli.top import top
from pipeline.errors import StoreUnavailable
from pipeline.guards import Heard
from pipeline.notification import Attempt, Failed, Refused
from pipeline.retry import DeadLetter, RetryAt
from pipeline.store.base import Publication
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_event
from cli.application import At, Tocsin

GONE, SLOW = "https://u:s3cret@gone.example/hook?token=s3cret", "https://slow/hook"


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    """An alarm has fired: one receiver is gone, another fails; a publisher takes nothing."""
    alarm = store.create(an_alarm(name="disk full", alarm_actions=[GONE, SLOW]))
    url = "https://u:s3cret@sink.example/e"
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(alarm)])
        transaction.save_publications([Publication("p-1", url, (an_event(),), "away")])
    for delivery in store.claim(10, timedelta(minutes=1), NOON):
        if delivery.action == GONE:
            attempt = Attempt(delivery.delivery_id, 1, NOON, 0.1, Refused("gone", 410, gone=True))
            store.finish([(delivery, attempt, DeadLetter("gone"))])
        else:
            attempt = Attempt(delivery.delivery_id, 1, NOON, 2.0, Failed("no answer"))
            heard = {"https://slow": Heard({0: (1, 1)}, False, NOON, 1, "no answer")}
            store.finish([(delivery, attempt, RetryAt(NOON))], heard)
    return Tocsin(store, status, top, at=at)


def test_status_tells_of_everything(tocsin: Tocsin, store: SqlStore) -> None:
    shown = json.loads(tocsin("status", "-f", "json"))
    assert shown["database"] == store.name
    assert (shown["alarms"], shown["alarms_alarm"], shown["firings"]) == (1, 1, 1)
    assert (shown["deliveries_pending"], shown["deliveries_dead"]) == (1, 1)
    assert shown["oldest_due_seconds"] == 1.0
    assert shown["unpublished_events"] == 1
    assert shown["unpublished_by_publisher"] == {"https://u:***@sink.example/e": 1}
    assert shown["disabled_actions"] == {"https://u:***@gone.example/hook?token=***": "gone"}
    assert shown["spared_receivers"]["https://slow"]["last_error"] == "no answer"
    assert shown["transitions_last_5_minutes"] == 1
    assert "costly" not in shown


def test_status_for_people_is_a_line_for_each(tocsin: Tocsin) -> None:
    table = tocsin("status")
    assert "| https://slow: failing since 2026-01-02T12:00:00Z: no answer" in table
    assert "| https://u:***@sink.example/e: 1 publication " in table
    assert "s3cret" not in table


def test_the_costliest_alarms_are_named_where_it_is_asked_for(tocsin: Tocsin) -> None:
    shown = json.loads(tocsin("status", "--costly", "-f", "json", "-c", "costly"))
    assert shown == {"costly": [[None, "*", 3], ["p-1", "a.b", 2]]}
    assert "all projects, *: 3 alarms" in tocsin("status", "--costly")


def test_top_shows_what_the_desk_says(tocsin: Tocsin) -> None:
    screen = tocsin("top", "--once")
    assert "2026-01-02 12:00:01 UTC" in screen
    assert "1 transitions" in screen
    assert "disk full" in screen
    assert "https://slow" in screen
    assert "not yet taken by https://u:***@sink.example/e: 1 publication" in screen
    assert "s3cret" not in screen


def test_top_of_a_server_looks_for_no_processes_here(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearby(_: object) -> list[str]:
        raise AssertionError("those of this machine are not the server's")

    monkeypatch.setattr("pipeline.cli.top.nearby", nearby)
    tocsin.application.client = ClientSettings(server="https://tocsin.example")
    assert "disk full" in tocsin("top", "--once")


def test_top_of_what_never_answered_is_an_error(
    tocsin: Tocsin, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr(store, "backlog", away)
    assert "Error: the database is away" in tocsin.fails("top", "--once")
