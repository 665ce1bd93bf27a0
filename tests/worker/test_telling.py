"""In a process that delivers and is asked over the API, neither is in the way of the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog

from pipeline.dispatch import TargetEntry
from pipeline.kinds import BUILTIN
from pipeline.notifier import Notifier
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.settings import Settings
from pipeline.store.routing import Create
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.telling import Telling
from pipeline.tracing import Tracing

from builders import NOON, an_id

PHONE = TargetEntry("phone", "gotify", {"server": "https://g.example"}, {"token": "s3"})
MESSAGE = next(kind for kind in BUILTIN if kind.id == "message")


@pytest.fixture
def store(sqlite_url: str, tmp_path: Path) -> Iterator[SqlStore]:
    sealer = KeyFileSealer(KeyFile(tmp_path / "secrets.key"))
    settings = DatabaseSettings(url=sqlite_url)
    with SqlStore.open(settings, clock=lambda: NOON, sealer=sealer) as store:
        yield store


@pytest.fixture
def telling(store: SqlStore) -> Iterator[Telling]:
    with ExitStack() as open:
        log = structlog.get_logger()
        yield Telling(Settings(), lambda: store, lambda: NOON, an_id, log, open)


def test_who_asks_leaves_the_secrets_to_who_delivers(telling: Telling, store: SqlStore) -> None:
    feed = telling.feed(with_secrets=True)
    feed.load()
    store.change_entries([Create(PHONE)])

    assert telling.routing().targets["phone"].secrets == {"token": "***"}
    telling.sender()
    telling.load()

    assert telling.live.target("phone").secrets == {"token": "s3"}


def test_what_is_sent_goes_by_what_was_set_up_a_moment_ago_and_wakes_the_notifier(
    telling: Telling, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[Notifier] = []
    monkeypatch.setattr(Notifier, "wake", lambda self: woken.append(self))
    telling.feed(with_secrets=True).load()
    notifier = telling.notifier(None, Tracing())
    store.change_entries([Create(TargetEntry("journal", "log"))])

    sent = telling.sender().send(MESSAGE, {"text": "hello"}, to=["journal"])

    assert sent.actions == ("target:journal",)
    assert woken == [notifier]
