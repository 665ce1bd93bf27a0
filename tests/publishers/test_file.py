"""`file://`: one line an event, rotation as in Ceilometer, and clear failures."""

from __future__ import annotations

import ast
import json
import threading
from pathlib import Path

import pytest

from pipeline import publishers
from pipeline.errors import InvalidValue, PublishFailed
from pipeline.event import Event

from builders import an_event


def test_json_writes_one_line_of_json_for_each_event_in_order(tmp_path: Path) -> None:
    publisher = publishers.from_url(f"file://{tmp_path}/events.json?json")
    events = [an_event(host="a", vcpus=4), an_event(host="b\nc")]

    publisher.publish(events[:1])
    publisher.publish(events[1:])

    lines = (tmp_path / "events.json").read_text(encoding="utf-8").splitlines()
    assert [Event.from_dict(json.loads(line)) for line in lines] == events


def test_without_json_a_line_is_pythons_form_of_the_same(tmp_path: Path) -> None:
    event = an_event(host="a")

    publishers.from_url(f"file://{tmp_path}/events.log").publish([event])

    (line,) = (tmp_path / "events.log").read_text(encoding="utf-8").splitlines()
    assert Event.from_dict(ast.literal_eval(line)) == event


def test_a_full_file_is_renamed_and_only_so_many_old_ones_are_kept(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/e.json?json&max_bytes=400&backup_count=2"
    publisher = publishers.from_url(url)
    events = [an_event(host=f"h{number}") for number in range(12)]

    publisher.publish(events)

    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["e.json", "e.json.1", "e.json.2"]
    assert all(path.stat().st_size < 400 for path in tmp_path.iterdir())
    newest = (tmp_path / "e.json").read_text(encoding="utf-8").splitlines()[-1]
    assert Event.from_dict(json.loads(newest)) == events[-1]


@pytest.mark.parametrize(
    "options", ["max_bytes=100", "backup_count=3", "max_bytes=0&backup_count=1"]
)
def test_a_file_rotates_only_with_both_options_as_in_ceilometer(
    tmp_path: Path, options: str
) -> None:
    publisher = publishers.from_url(f"file://{tmp_path}/e?{options}")

    publisher.publish([an_event() for _ in range(5)])

    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_a_file_that_was_rotated_from_outside_is_made_anew(tmp_path: Path) -> None:
    publisher = publishers.from_url(f"file://{tmp_path}/e")
    publisher.publish([an_event()])
    (tmp_path / "e").rename(tmp_path / "e.old")

    publisher.publish([an_event()])

    assert (tmp_path / "e").read_text(encoding="utf-8").count("\n") == 1
    assert (tmp_path / "e.old").read_text(encoding="utf-8").count("\n") == 1


def test_a_missing_folder_fails_with_what_to_do_and_works_once_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    publisher = publishers.from_url(f"file://{folder}/e.json")

    with pytest.raises(PublishFailed) as caught:
        publisher.publish([an_event()])
    folder.mkdir()
    publisher.publish([an_event()])

    reason = f"cannot write {folder}/e.json: the folder {folder} does not exist. Create it."
    assert str(caught.value) == reason
    assert (folder / "e.json").exists()


def test_a_full_disk_fails_and_does_not_stop_a_later_close() -> None:
    publisher = publishers.from_url("file:///dev/full")

    with pytest.raises(PublishFailed, match=r"cannot write /dev/full: No space left on device\."):
        publisher.publish([an_event()])
    publisher.close()


def test_a_line_that_broke_off_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "e").write_text('{"message_id": "bro', encoding="utf-8")

    publishers.from_url(f"file://{tmp_path}/e?json").publish([event := an_event()])

    last = (tmp_path / "e").read_text(encoding="utf-8").splitlines()[-1]
    assert Event.from_dict(json.loads(last)) == event


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    publisher = publishers.from_url(f"file://{tmp_path}/e?json&max_bytes=100000&backup_count=1")
    batches = [[an_event(host=f"h{number}") for number in range(20)] for _ in range(8)]
    threads = [threading.Thread(target=publisher.publish, args=(batch,)) for batch in batches]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    lines = (tmp_path / "e").read_text(encoding="utf-8").splitlines()
    written = {json.loads(line)["message_id"] for line in lines}
    assert written == {event.message_id for batch in batches for event in batch}


def test_making_a_publisher_opens_nothing(tmp_path: Path) -> None:
    publishers.from_url(f"file://{tmp_path}/e").close()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "file://var/log/e",
            "'var' stands where a host would. Write three slashes: file:///var/log/e",
        ),
        ("file://", "names no file. Write a path, as file:///var/log/events.json?json"),
        ("file:///var/", "names no file. Write a path, as file:///var/log/events.json?json"),
        (
            "file:///e?max_byte=1",
            "max_byte: unknown option. Use one of max_bytes, backup_count, json. "
            "Did you mean 'max_bytes'?",
        ),
        (
            "file:///e?max_bytes=10k&backup_count=-1",
            "max_bytes: expects a number, as 10000000. backup_count: give 0 or more, not -1.",
        ),
    ],
)
def test_a_wrong_url_says_what_and_how_to_mend_it(url: str, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        publishers.from_url(url)

    assert str(caught.value) == message
