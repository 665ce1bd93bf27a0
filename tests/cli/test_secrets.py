"""`tocsin secrets`: whether all can be opened, and new keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli.secrets import secrets
from pipeline.dispatch import TargetEntry
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.store.routing import Create
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from cli.application import Tocsin

PHONE = TargetEntry("phone", "gotify", {"server": "https://g.example"}, {"token": "geheim"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.key"


@pytest.fixture
def tocsin(sqlite_url: str, path: Path) -> Iterator[Tocsin]:
    sealer = KeyFileSealer(KeyFile(path))
    with SqlStore.open(DatabaseSettings(url=sqlite_url), sealer=sealer) as store:
        tocsin = Tocsin(store, secrets)
        tocsin.application.sealer = sealer
        yield tocsin


def test_check_says_that_nothing_is_there_yet(tocsin: Tocsin, path: Path) -> None:
    assert "made for the first secret" in tocsin("secrets", "check")
    assert not path.exists()


def test_rotation_is_told_step_by_step(tocsin: Tocsin) -> None:
    tocsin.application.store.change_entries([Create(PHONE)])

    assert "prepared" in tocsin("secrets", "rotate", "--prepare")
    assert tocsin("secrets", "rotate") == "1 target sealed with the new key.\n"
    assert "1 key in use, 1 old" in tocsin("secrets", "check")
    assert "1 old key dropped" in tocsin("secrets", "rotate", "--drop-old")
    assert "1 key in use, 0 old\n1 target sealed" in tocsin("secrets", "check")


def test_check_names_the_targets_that_cannot_be_opened(tocsin: Tocsin, path: Path) -> None:
    tocsin.application.store.change_entries([Create(PHONE)])
    path.unlink()

    assert "target phone: the key file" in tocsin.fails("secrets", "check")
    assert "phone" in tocsin.fails("secrets", "rotate", "--lost")
    assert "target phone: no key in" in tocsin.fails("secrets", "check")


def test_steps_go_one_by_one(tocsin: Tocsin) -> None:
    assert "give one" in tocsin.fails("secrets", "rotate", "--lost", "--prepare", code=2)
