"""The key file is made for its owner alone, refused to be shared, and replaced as a whole."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.check import check
from pipeline.errors import InvalidValue
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.secrets.keys import new_key
from pipeline.settings import load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "secrets.key"


def test_key_file_is_made_for_its_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        KeyFile(path).begin()
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["secrets.key"]


def test_key_file_is_made_once_however_many_need_it_at_the_same_time(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: KeyFile(path).begin(), range(32)))

    assert len(set(made)) == 1


def test_no_file_is_no_keys_and_makes_none(path: Path) -> None:
    assert KeyFile(path).keys() is None
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o660])
def test_key_file_that_others_may_use_is_refused_with_how_to_mend_it(
    path: Path, mode: int
) -> None:
    KeyFile(path).begin()
    path.chmod(mode)

    with pytest.raises(InvalidValue, match=f"mode {mode:04o}.*chmod 600 {path}"):
        KeyFile(path).keys()


@pytest.mark.parametrize(
    ("text", "line"), [("", 1), ("# nothing\n", 1), ("# x\nabc\n", 2), ("schlüssel\n", 1)]
)
def test_file_without_keys_is_refused_without_telling_what_is_in_it(
    path: Path, text: str, line: int
) -> None:
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(InvalidValue, match=f"{path}:{line}: this is no key") as caught:
        KeyFile(path).keys()
    assert "abc" not in str(caught.value)


def test_file_that_cannot_be_made_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a directory is needed")

    with pytest.raises(InvalidValue, match=r"cannot be used: .*secrets\.key_file"):
        KeyFile(tmp_path / "state" / "secrets.key").begin()


def test_process_that_runs_follows_a_rotation(path: Path) -> None:
    running, rotating = KeyFileSealer(KeyFile(path)), KeyFile(path)
    sealed = running.seal("geheim")
    keys = rotating.begin()

    rotating.replace(keys.rotated(new_key()))

    assert running.open(sealed) == "geheim"
    assert not running.is_current(sealed)
    assert running.is_current(running.seal("geheim", [sealed]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_prepared_key_opens_but_seals_nothing_before_the_rotation(path: Path) -> None:
    file = KeyFile(path)
    first = file.begin()
    file.replace(first.with_prepared(new_key()))
    prepared = file.keys()

    assert prepared is not None
    assert prepared.sealing == first.sealing
    assert prepared.with_prepared(new_key()) == prepared
    rotated = prepared.rotated(new_key())
    assert rotated.sealing == prepared.prepared[0]
    assert (rotated.old, rotated.prepared) == ((first.sealing,), ())


def test_no_key_is_made_where_secrets_were_sealed_with_one_that_is_missing(path: Path) -> None:
    with pytest.raises(InvalidValue, match="Copy it from the machine where they were given"):
        KeyFileSealer(KeyFile(path)).seal("x", ["sealed"])
    assert not path.exists()


def test_check_of_the_configuration_refuses_a_key_file_that_others_may_read(path: Path) -> None:
    environ = {"TOCSIN_SECRETS_KEY_FILE": str(path), "TOCSIN_DATABASE_URL": f"sqlite:///{path}.db"}
    KeyFile(path).begin()
    assert f"{path}: 1 key" in check(load(None, environ)).found
    path.chmod(0o644)

    (problem,) = check(load(None, environ)).problems

    assert str(problem).startswith(f"{path}: others than its owner may use the key file")


def test_key_file_stands_beside_the_sqlite_file(tmp_path: Path) -> None:
    loaded = load(None, {"TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path}/a/t.sqlite"})

    assert loaded.settings.secrets.key_file == f"{tmp_path}/a/secrets.key"
