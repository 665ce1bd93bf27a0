"""Deliveries and dead letters are listed, shown, replayed and purged (delivery 5, 10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from pipeline.cli.dead_letters import dead_letter
from pipeline.cli.deliveries import delivery
from pipeline.notification import (
    Attempt,
    Delivered,
    Failed,
    InProgress,
    Notification,
    Occurrence,
    Outcome,
    Refused,
)
from pipeline.retry import DeadLetter, Done, LookAgainAt, RetryAt, Step
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_event
from cli.application import At, Tocsin

HOOK, OTHER = "https://user:pw@receiver/hook?token=s3cret", "https://other/hook"
ALARM = an_alarm(alarm_id="a-1", name="user deleted", alarm_actions=[HOOK, OTHER])
EVENT = an_event(message_id="m-1")


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    """One firing, two deliveries: `HOOK` fails once and is then given up; `OTHER` is pending."""
    store.create(ALARM)
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(ALARM, EVENT)])
    tocsin = Tocsin(store, delivery, dead_letter, at=at)
    later = NOON + timedelta(minutes=5)
    finish(store, HOOK, 1, Failed("timed out", None), RetryAt(later))
    finish(store, HOOK, 2, Refused("refused", 404, "no such\nhook"), DeadLetter("refused"))
    tocsin.application.now = later
    return tocsin


def finish(store: SqlStore, action: str, number: int, outcome: Outcome, step: Step) -> None:
    """Make one attempt at the action."""
    now = NOON + timedelta(hours=1)
    claimed = store.claim(10, timedelta(minutes=1), now)
    chosen = next(one for one in claimed if one.action == action)
    store.finish([(chosen, Attempt(chosen.delivery_id, number, now, 0.25, outcome), step)])
    store.release([one for one in claimed if one is not chosen])


def ids(store: SqlStore) -> Mapping[str, str]:
    """The delivery ids by action."""
    return {one.action: one.delivery_id for one in store.deliveries()}


def test_deliveries_are_listed_with_secrets_masked(tocsin: Tocsin, store: SqlStore) -> None:
    listed = json.loads(tocsin("delivery", "list", "-f", "json"))
    by_action = {one["action"]: one for one in listed}
    assert set(by_action) == {"https://user:***@receiver/hook?token=***", OTHER}
    assert by_action["https://user:***@receiver/hook?token=***"] == {
        "delivery_id": ids(store)[HOOK],
        "state": "dead",
        "attempts": 2,
        "kind": "alarm-transition",
        "alarm_name": "user deleted",
        "action": "https://user:***@receiver/hook?token=***",
        "created_at": "2026-01-02T12:00:00Z",
        "due_at": None,
        "last_error": "refused",
    }
    assert by_action[OTHER]["state"] == "pending"


def test_what_is_told_of_no_alarm_is_listed_by_its_kind(tocsin: Tocsin, store: SqlStore) -> None:
    down = Notification("n-1", "error", NOON, Occurrence("node-down", {"node": "pve1"}))
    with store.begin() as transaction:
        transaction.save_notification(down, ["https://third/hook"])
    listed = json.loads(tocsin("delivery", "list", "--action", "https://third/hook", "-f", "json"))

    assert [(one["kind"], one["alarm_name"]) for one in listed] == [("node-down", "")]


@pytest.mark.parametrize(
    ("options", "actions"),
    [
        (("--state", "pending"), {OTHER}),
        (("--state", "delivered"), set()),
        (("--alarm", "user deleted"), {HOOK, OTHER}),
        (("--alarm", "a-1", "--limit", "1"), {HOOK, OTHER}),
        (("--event", "m-1"), {HOOK, OTHER}),
        (("--event", "m-2"), set()),
        (("--action", OTHER), {OTHER}),
        (("--receiver", "https://other"), {OTHER}),
        (("--receiver", "HTTPS://Receiver/another/path"), {HOOK}),
        (("--receiver", "https://other:8443"), set()),
        (("--outcome", "refused"), {HOOK}),
        (("--outcome", "delivered"), set()),
    ],
)
def test_deliveries_are_found(
    tocsin: Tocsin, store: SqlStore, options: tuple[str, ...], actions: set[str]
) -> None:
    """delivery 10"""
    found = tocsin("delivery", "list", *options, "-f", "value", "-c", "delivery_id").split()
    expected = {ids(store)[action] for action in actions}
    assert set(found) <= expected
    assert len(found) == (1 if "--limit" in options else len(expected))


def test_a_delivery_is_shown_with_its_attempts(tocsin: Tocsin, store: SqlStore) -> None:
    """delivery 10"""
    shown = json.loads(tocsin("delivery", "show", ids(store)[HOOK], "-f", "json"))
    assert shown["attempts"] == [
        {
            "number": 1,
            "started_at": "2026-01-02T13:00:00Z",
            "duration_seconds": 0.25,
            "outcome": "failed",
            "status": None,
            "error": "timed out",
            "note": "",
            "response_head": "",
        },
        {
            "number": 2,
            "started_at": "2026-01-02T13:00:00Z",
            "duration_seconds": 0.25,
            "outcome": "refused",
            "status": 404,
            "error": "refused",
            "note": "",
            "response_head": "no such\nhook",
        },
    ]
    assert (shown["alarm_name"], shown["message_id"]) == ("user deleted", "m-1")
    assert (shown["previous"], shown["current"]) == ("insufficient data", "alarm")


def test_attempts_are_a_line_each_in_a_table(tocsin: Tocsin, store: SqlStore) -> None:
    finish(store, OTHER, 1, Delivered(200), Done())
    given_up = tocsin("dead-letter", "show", ids(store)[HOOK], "-c", "attempts")
    assert (
        given_up
        == """\
+----------+------------------------------------------------------+
| Field    | Value                                                |
+----------+------------------------------------------------------+
| attempts | 1. 2026-01-02T13:00:00Z 0.250 s failed: timed out    |
|          | 2. 2026-01-02T13:00:00Z 0.250 s refused 404: refused |
+----------+------------------------------------------------------+
"""
    )
    delivered = tocsin("delivery", "show", ids(store)[OTHER], "-c", "attempts", "-f", "table")
    assert "1. 2026-01-02T13:00:00Z 0.250 s delivered 200" in delivered


def test_what_the_receiver_is_at_is_shown(tocsin: Tocsin, store: SqlStore) -> None:
    progress = {"queue_item": 12, "build": 7}
    look = InProgress("build 7 runs", progress, timedelta(seconds=5), 200)
    finish(store, OTHER, 1, look, LookAgainAt(NOON + timedelta(hours=1), NOON))
    finish(store, OTHER, 2, Delivered(200, note="build 7: SUCCESS"), Done())
    shown = json.loads(tocsin("delivery", "show", ids(store)[OTHER], "-f", "json"))
    assert shown["progress"] == progress
    assert [(one["outcome"], one["note"]) for one in shown["attempts"]] == [
        ("in-progress", "build 7 runs"),
        ("delivered", "build 7: SUCCESS"),
    ]
    table = tocsin("delivery", "show", ids(store)[OTHER])
    assert "1. 2026-01-02T13:00:00Z 0.250 s in-progress 200: build 7 runs" in table
    assert "queue_item: 12" in table


def test_an_unknown_delivery_is_an_error(tocsin: Tocsin) -> None:
    assert tocsin.fails("delivery", "show", "nope") == "Error: Delivery nope not found\n"


class TestDeadLetters:
    """delivery 5"""

    def test_only_the_dead_are_listed(self, tocsin: Tocsin, store: SqlStore) -> None:
        listed = tocsin("dead-letter", "list", "-f", "value", "-c", "delivery_id")
        assert listed == ids(store)[HOOK] + "\n"

    def test_one_that_is_not_dead_is_not_shown_as_one(
        self, tocsin: Tocsin, store: SqlStore
    ) -> None:
        pending = ids(store)[OTHER]
        said = tocsin.fails("dead-letter", "show", pending)
        assert said.startswith(f"Error: Delivery {pending} is pending, not dead. See: tocsin del")

    @pytest.mark.parametrize(
        "options", [("--all",), ("--action", HOOK), ("--since", "2026-01-02"), ("--until", "0s")]
    )
    def test_they_are_replayed_by_what_they_have_in_common(
        self, tocsin: Tocsin, store: SqlStore, options: tuple[str, ...]
    ) -> None:
        tocsin.application.now += timedelta(days=1)
        said = tocsin("dead-letter", "replay", *options)
        assert said == "1 dead letter due again. See: tocsin delivery list --state pending\n"
        assert {one.state for one in store.deliveries()} == {"pending"}

    def test_they_are_replayed_one_by_one(self, tocsin: Tocsin, store: SqlStore) -> None:
        finish(store, OTHER, 1, Refused("no", 400), DeadLetter("no"))
        assert tocsin("dead-letter", "replay", *ids(store).values()).startswith(
            "2 dead letters due"
        )
        assert {one.state for one in store.deliveries()} == {"pending"}

    def test_what_died_at_another_time_is_left(self, tocsin: Tocsin, store: SqlStore) -> None:
        tocsin.application.now += timedelta(days=1)
        said = tocsin("dead-letter", "replay", "--since", "1h")
        assert said.startswith("0 dead letters due again.")
        assert store.deliveries(state="dead")

    def test_one_that_is_not_dead_is_not_replayed(self, tocsin: Tocsin, store: SqlStore) -> None:
        pending, dead = ids(store)[OTHER], ids(store)[HOOK]
        said = tocsin.fails("dead-letter", "replay", dead, pending, code=2)
        assert said == f"Error: Delivery {pending} is pending, not dead.\n"
        assert store.deliveries(state="dead")

    @pytest.mark.parametrize("command", ["replay", "purge"])
    def test_which_ones_has_to_be_said(self, tocsin: Tocsin, command: str) -> None:
        assert "Error: Say which: give ids, or --action" in tocsin.fails(
            "dead-letter", command, code=2
        )
        assert "exclude each other" in tocsin.fails("dead-letter", command, "x", "--all", code=2)

    def test_a_time_that_is_none_is_refused(self, tocsin: Tocsin) -> None:
        said = tocsin.fails("dead-letter", "replay", "--since", "yesterday", code=2)
        assert "'yesterday' is no time. Give 2026-01-02T12:00:00Z, or an age such as" in said

    def test_they_are_purged_after_a_question(self, tocsin: Tocsin, store: SqlStore) -> None:
        assert tocsin.run("dead-letter", "purge", "--all", input="n\n").exit_code == 1
        assert store.deliveries(state="dead")
        assert tocsin("dead-letter", "purge", "--all", input="y\n") == "1 dead letter deleted.\n"
        assert [one.action for one in store.deliveries()] == [OTHER]

    def test_one_is_purged_without_a_question(self, tocsin: Tocsin, store: SqlStore) -> None:
        said = tocsin("dead-letter", "purge", ids(store)[HOOK], "--yes")
        assert said == "1 dead letter deleted.\n"
        assert not store.deliveries(state="dead")


@pytest.mark.parametrize(
    "command", [("delivery", "list"), ("dead-letter", "replay"), ("dead-letter", "purge", "--yes")]
)
def test_an_action_that_was_copied_without_its_secrets_is_refused(
    tocsin: Tocsin, command: tuple[str, ...]
) -> None:
    """It would find nothing, and say that all is well."""
    said = tocsin.fails(*command, "--action", "https://user:***@receiver/hook", code=2)

    assert "is without its secrets" in said
