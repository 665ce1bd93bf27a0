"""`tocsin target enable` says what it changed, and what it cannot."""

from __future__ import annotations

import pytest

from pipeline.cli.targets import target
from pipeline.store.sql import SqlStore

from cli.application import At, Tocsin


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, target, at=at)


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
