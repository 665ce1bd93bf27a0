"""`file`: a line of JSON for each notification, and folders for those who are no admins."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed, Refused

from builders import a_delivery, a_notification, an_occurrence
from targets.making import made, options_of


def test_each_notification_is_a_line_with_all_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    alarm = a_delivery(notification=a_notification(severity="critical"))
    other = a_delivery(notification=an_occurrence("maintenance", "notice", who="zoë\n"))
    with made("file", path=str(path)) as target:
        assert target.deliver(alarm) == target.deliver(other) == Delivered()

    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert first["delivery_id"] == alarm.delivery_id
    assert (first["kind"], first["severity"]) == ("alarm-transition", "critical")
    assert first["fields"]["traits"]["project_id"] == "p-1"
    assert first["reason_data"] == alarm.notification.reason_data
    assert alarm.notification.fields["alarm_name"] in first["title"] + first["message"]
    assert second["fields"] == {"who": "zoë\n"}


def test_a_full_file_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    with made("file", path=str(path), max_bytes=5_000, backup_count=2) as target:
        for _ in range(20):
            target.deliver(a_delivery())

    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "told.json",
        "told.json.1",
        "told.json.2",
    ]


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    deliveries = [a_delivery() for _ in range(200)]
    with made("file", path=str(path)) as target, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(target.deliver, deliveries)) == {Delivered()}

    written = [json.loads(line)["delivery_id"] for line in path.read_text().splitlines()]
    assert sorted(written) == sorted(each.delivery_id for each in deliveries)


def test_a_folder_that_is_missing_may_be_made(tmp_path: Path) -> None:
    with made("file", path=str(tmp_path / "no" / "told.json")) as target:
        failed = target.deliver(a_delivery())
        (tmp_path / "no").mkdir()
        delivered = target.deliver(a_delivery())

    assert isinstance(failed, Failed)
    assert "Create it" in failed.reason
    assert isinstance(delivered, Delivered)


def test_who_is_no_admin_writes_in_the_folders_for_that_only(tmp_path: Path) -> None:
    free, other = tmp_path / "free", tmp_path / "other"
    for folder in (free, other, free / "deep"):
        folder.mkdir()
    (free / "link").symlink_to(other)
    settings = {"file_folders": (str(free),), "guard": "none"}

    def outcome_at(path: Path) -> type:
        with made("file", settings=settings, path=str(path)) as target:
            return type(target.deliver(a_delivery(guarded=True)))

    assert outcome_at(free / "told") is Delivered
    assert outcome_at(free / "deep" / "told") is Delivered
    for elsewhere in (
        other / "told",
        free / ".." / "other" / "told",
        free / "link" / "told",
        tmp_path / "freely",
    ):
        assert outcome_at(elsewhere) is Refused
    assert list(other.iterdir()) == []


def test_without_such_folders_who_is_no_admin_writes_nowhere(tmp_path: Path) -> None:
    with made("file", path=str(tmp_path / "told")) as target:
        refused = target.deliver(a_delivery(guarded=True))

    assert isinstance(refused, Refused)
    assert "delivery.file_folders" in refused.reason
    assert list(tmp_path.iterdir()) == []


def test_an_action_names_the_path_and_how_it_rotates() -> None:
    options = options_of("file", "file:///var/log/to%20me.json?max_bytes=1000&backup_count=3")

    assert options == {"path": "/var/log/to me.json", "max_bytes": 1000, "backup_count": 3}


@pytest.mark.parametrize(
    "action", ["file://host/told", "file:told", "file:///", "file:///a/", "file:///a?size=3"]
)
def test_an_action_that_names_no_file_is_refused(action: str) -> None:
    with pytest.raises(InvalidValue):
        targets.check_action(action)
