"""A changed configuration file is noticed, however it was changed (events-in 31)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.reload import FileWatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pipelines.yaml"
    path.write_text("a: 1", encoding="utf-8")
    return path


class Told:
    """Counts how often it was told of a change."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def write(path: Path) -> None:
    path.write_text("a: 22", encoding="utf-8")


def write_the_same_length(path: Path) -> None:
    path.write_text("a: 2", encoding="utf-8")
    os.utime(path, ns=(1, 1))


def rename_over(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text("a: 2", encoding="utf-8")
    status = path.stat()
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(path)


def swap_a_link(path: Path) -> None:
    target = path.with_name("data")
    target.write_text("a: 2", encoding="utf-8")
    path.unlink()
    path.symlink_to(target)


@pytest.mark.parametrize(
    "change", [write, write_the_same_length, rename_over, swap_a_link, Path.unlink]
)
def test_every_way_to_change_a_file_is_noticed_once(
    file: Path, change: Callable[[Path], None]
) -> None:
    watch = FileWatch([file], told := Told())

    change(file)
    for _ in range(4):
        watch.look()

    assert told.times == 1


def test_a_file_at_rest_is_no_change(file: Path) -> None:
    watch = FileWatch([file, file.with_name("missing.yaml")], told := Told())

    for _ in range(3):
        watch.look()

    assert told.times == 0


def test_a_file_that_is_still_being_written_is_left_until_it_rests(file: Path) -> None:
    watch = FileWatch([file], told := Told())

    for length in range(5, 10):
        file.write_text("x" * length, encoding="utf-8")
        watch.look()
    assert told.times == 0
    watch.look()

    assert told.times == 1


def test_an_editors_moment_without_the_file_is_passed_over(file: Path) -> None:
    watch = FileWatch([file], told := Told())
    backup = file.rename(file.with_suffix(".bak"))

    watch.look()
    backup.rename(file)
    watch.look()
    watch.look()

    assert told.times == 0


def test_a_file_that_comes_into_being_is_noticed(file: Path) -> None:
    missing = file.with_name("missing.yaml")
    watch = FileWatch([missing], told := Told())

    missing.write_text("a: 1", encoding="utf-8")
    watch.look()
    watch.look()

    assert told.times == 1


def test_running_it_tells_of_a_change_and_stops_when_told(file: Path) -> None:
    changed = threading.Event()
    watch = FileWatch([file], changed.set, look_seconds=0.01)
    thread = threading.Thread(target=watch.run)
    thread.start()

    write(file)

    assert changed.wait(30)
    watch.stop()
    thread.join(30)
    assert not thread.is_alive()
