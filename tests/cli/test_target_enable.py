"""`tocsin target enable` says what it changed, and what it cannot."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.cli.status import status
from pipeline.cli.targets import target
from pipeline.notification import Refused
from pipeline.retry import DeadLetter
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_event
from cli.application import At, Tocsin
from store.storing import an_attempt


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, status, target, at=at)


@pytest.mark.parametrize("receiver", ["hok", "target:hok"])
def test_enabling_a_target_that_does_not_exist_is_an_error(tocsin: Tocsin, receiver: str) -> None:
    tocsin("target", "create", "hook", "--type", "log")

    said = tocsin.fails("target", "enable", receiver)

    assert "Target hok not found. Did you mean 'hook'?" in said


def test_enabling_a_target_that_its_setting_disables_says_what_enables_it(tocsin: Tocsin) -> None:
    tocsin("target", "create", "hook", "--type", "log", "--disable")

    said = tocsin.fails("target", "enable", "hook", code=2)

    assert "tocsin target update hook --enable" in said


def test_enabling_a_receiver_that_works_says_so(tocsin: Tocsin) -> None:
    tocsin("target", "create", "hook", "--type", "log")

    assert "was neither disabled nor spared" in tocsin("target", "enable", "hook")
    assert "was neither disabled nor spared" in tocsin("target", "enable", "https://h.example")


def test_disabled_action_is_shown_without_its_secret_and_enabled_so(
    tocsin: Tocsin, store: SqlStore
) -> None:
    """It wants nothing any more (410), and people copy what they see."""
    alarm = store.create(an_alarm(alarm_actions=["https://h.example/?token=s3cret"]))
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(alarm, an_event())])
    (delivery,) = store.claim(1, timedelta(minutes=1), NOON)
    gone = Refused("410 Gone", 410, gone=True)
    store.finish([(delivery, an_attempt(delivery, gone), DeadLetter("410 Gone"))])

    for form in ("table", "json"):
        said = tocsin("status", "-f", form, "-c", "disabled_actions")
        assert "https://h.example/?token=***" in said
        assert "s3cret" not in said

    tocsin("target", "enable", "https://h.example/?token=***")
    assert store.counts().disabled_actions == {}
