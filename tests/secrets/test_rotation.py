"""Keys are changed without losing a secret, whenever it is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.dispatch import TargetEntry
from pipeline.errors import InvalidValue
from pipeline.secrets import KeyFile, KeyFileSealer, report
from pipeline.secrets.rotation import drop_old, prepare, rotate
from pipeline.store.access import Action, Change
from pipeline.store.routing import Create, Update
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

PHONE = TargetEntry("phone", "gotify", {"server": "https://g.example"}, {"token": "geheim"})
HOOK = TargetEntry("hook", "webhook", {}, {"secret": {"a": "eins", "b": "zwei"}})


@pytest.fixture
def sealer(tmp_path: Path) -> KeyFileSealer:
    return KeyFileSealer(KeyFile(tmp_path / "secrets.key"))


@pytest.fixture
def store(database_url: str, sealer: KeyFileSealer) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), sealer=sealer) as opened:
        opened.change_entries([Create(PHONE), Create(HOOK)])
        yield opened


def secrets(store: SqlStore) -> dict[str, Any]:
    snapshot = store.routing_after(-1, with_secrets=True)
    assert snapshot is not None
    assert not snapshot.unreadable
    return {e.name: e.secrets for e in snapshot.entries if isinstance(e, TargetEntry)}


KEPT = {"hook": {"secret": {"a": "eins", "b": "zwei"}}, "phone": {"token": "geheim"}}


def kept(store: SqlStore) -> bool:
    return {name: found for name, found in secrets(store).items() if found} == KEPT


def test_no_secret_stands_in_the_database(store: SqlStore) -> None:
    with store._database.read() as connection:
        rows = str(connection.execute(text("SELECT * FROM routing_entry")).all())

    assert not any(secret in rows for secret in ("geheim", "eins", "zwei"))
    assert kept(store)


def test_rotation_seals_everything_anew_and_old_keys_go_when_they_are_dropped(
    store: SqlStore, sealer: KeyFileSealer
) -> None:
    before = store.sealed_secrets()

    assert rotate(sealer, store).count == 2
    assert report(store.sealed_secrets(), sealer).current == ("hook", "phone")
    assert sealer.open(before["phone"])  # a backup can still be read
    assert drop_old(sealer, store) == 1

    assert kept(store)
    with pytest.raises(InvalidValue, match="no key in"):
        sealer.open(before["phone"])


def test_the_history_tells_that_secrets_were_sealed_anew(
    store: SqlStore, sealer: KeyFileSealer
) -> None:
    rotate(sealer, store)
    (told,) = store.changes(kind="secrets")

    assert told.change == Change("secrets", "all", Action.UPDATE, {"count": (None, 2)})


def test_rotation_that_was_killed_before_it_sealed_loses_nothing(
    store: SqlStore, sealer: KeyFileSealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed() -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "reseal", killed)
        with pytest.raises(KeyboardInterrupt):
            rotate(sealer, store)

    assert kept(store)
    assert report(store.sealed_secrets(), sealer).old == ("hook", "phone")
    assert drop_old(sealer, store) == 1  # seals anew what still needs an old key
    assert kept(store)


def test_other_machine_with_the_prepared_key_reads_on_through_a_rotation(
    store: SqlStore, sealer: KeyFileSealer, database_url: str, tmp_path: Path
) -> None:
    prepare(sealer, store)
    copy = tmp_path / "elsewhere.key"
    copy.write_bytes(sealer.file.path.read_bytes())
    copy.chmod(0o600)
    elsewhere = KeyFileSealer(KeyFile(copy))
    with SqlStore.open(DatabaseSettings(url=database_url), sealer=elsewhere) as other:
        assert kept(other)
        rotate(sealer, store)

        assert kept(other)


def test_entry_keeps_its_digest_and_followers_hear_of_a_rotation(
    store: SqlStore, sealer: KeyFileSealer
) -> None:
    digest = store.entry("phone").digest
    snapshot = store.routing_after(-1, with_secrets=False)
    assert snapshot is not None

    rotate(sealer, store)

    assert store.entry("phone").digest == digest
    assert store.routing_after(snapshot.revision, with_secrets=False) is not None


def test_lost_key_names_the_targets_and_their_secrets_can_be_given_again(
    store: SqlStore, sealer: KeyFileSealer
) -> None:
    with pytest.raises(InvalidValue, match="is there: --lost"):
        rotate(sealer, store, lost=True)
    sealer.file.path.unlink()
    for step in (prepare, rotate, drop_old):
        with pytest.raises(InvalidValue, match="rotate --lost"):
            step(sealer, store)  # type: ignore[operator]

    assert rotate(sealer, store, lost=True).unreadable == ("hook", "phone")
    with pytest.raises(InvalidValue, match="hook, phone"):
        drop_old(sealer, store)
    store.change_entries([Update(replace(PHONE, secrets={"token": "neu"}))])

    snapshot = store.routing_after(-1, with_secrets=True)
    assert snapshot is not None
    assert list(snapshot.unreadable) == ["hook"]
    assert "secrets cannot be had" in snapshot.unreadable["hook"]
