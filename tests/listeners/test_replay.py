"""Captured messages are replayed from files and pipes: all of them, whatever stands in between."""

from __future__ import annotations

import base64
import gzip
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.errors import InvalidValue
from pipeline.listeners.replay import Replayed, ReplayListener
from pipeline.listeners.replay import lines as lines_module

from listeners.contract import Feed, ListenerContract, RecordingWorker
from waiting import eventually, running


def captured(body: bytes) -> bytes:
    """A line of the captured form."""
    line = {
        "exchange": "keystone",
        "routing_key": "notifications.info",
        "properties": {"content_type": "application/json", "headers": {"h": 1}},
        "body_base64": base64.b64encode(body).decode(),
    }
    return json.dumps(line).encode()


def a_file(path: Path, *lines: bytes, end: bytes = b"\n") -> Path:
    path.write_bytes(b"\n".join(lines) + end)
    return path


def replay(*paths: Path, **options: int) -> tuple[RecordingWorker, Replayed]:
    """Replay these to their end."""
    worker = RecordingWorker()
    listener = ReplayListener(paths, worker, **options)
    listener.run()
    return worker, listener.replayed


class FileFeed:
    """A file; what it is told of as committed is acknowledged."""

    def __init__(self, path: Path) -> None:
        self._path, self._sent = path, 0
        self._listener: ReplayListener[object] | None = None

    def listener(self, worker: RecordingWorker) -> ReplayListener[object]:
        self._listener = ReplayListener([self._path], worker)
        return self._listener

    def send(self, bodies: Sequence[bytes]) -> None:
        self._sent += len(bodies)
        a_file(self._path, *map(captured, bodies))

    def unacknowledged(self) -> int:
        return self._sent - (self._listener.replayed.messages if self._listener else 0)


class TestTheContract(ListenerContract):
    @pytest.fixture
    def feed(self, tmp_path: Path) -> Feed:
        return FileFeed(tmp_path / "events.jsonl")


def test_a_captured_line_gives_body_content_type_headers_and_place(tmp_path: Path) -> None:
    path = a_file(tmp_path / "events.jsonl", captured(b"\x78\x9c"))
    worker, _ = replay(path)
    message = worker.committed[0]
    assert (message.body, message.content_type) == (b"\x78\x9c", "application/json")
    assert message.headers == {"h": 1}
    assert message.source == f"replay {path}:1"


def test_bare_bodies_blank_lines_and_broken_lines_stand_side_by_side(tmp_path: Path) -> None:
    """A broken line is handed on, to be rejected with its place, and the rest goes on."""
    bare, broken = b'{"message_id": "1"}', b'{"body": 7}'
    path = a_file(tmp_path / "e.jsonl", bare, b"", b" \t\r", broken, b"nonsense", bare, end=b"")
    worker, replayed = replay(path)
    assert [(m.body, m.source.rpartition(":")[2]) for m in worker.committed] == [
        (bare, "1"),
        (broken, "4"),
        (b"nonsense", "5"),
        (bare, "6"),
    ]
    assert replayed == Replayed(sources=1, messages=4, broken=1)


def test_batches_have_the_size_asked_for(tmp_path: Path) -> None:
    worker, _ = replay(a_file(tmp_path / "e.jsonl", *[b"{}"] * 7), batch_size=3)
    assert worker.batches == [3, 3, 1]


def test_gzip_is_known_by_its_content_and_may_have_several_members(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(gzip.compress(b"1\n2") + gzip.compress(b"2\n3\n") + b"\0" * 512)
    worker, replayed = replay(path, a_file(tmp_path / "plain.jsonl", b"4"))
    assert [message.body for message in worker.committed] == [b"1", b"22", b"3", b"4"]
    assert replayed.sources == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:40] + b"!" * 40])
def test_damaged_gzip_is_reported_and_the_next_file_is_replayed(tmp_path: Path, damage) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(damage(gzip.compress(os.urandom(200).hex().encode() + b"\n")))
    worker, replayed = replay(path, a_file(tmp_path / "plain.jsonl", b"last"))
    assert worker.committed[-1].body == b"last"
    assert len(replayed.damaged) == 1
    assert replayed.damaged[0].startswith(f"{path}:")
    assert "gzip" in replayed.damaged[0]


def test_lines_longer_than_a_read_come_whole(tmp_path: Path) -> None:
    long = b"x" * 700_000
    worker, _ = replay(a_file(tmp_path / "e.jsonl", b"1", long, b"2"))
    assert [message.body for message in worker.committed] == [b"1", long, b"2"]


def test_a_line_without_end_is_cut_and_the_next_one_comes_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "LONGEST_LINE_BYTES", 500_000)
    worker, _ = replay(a_file(tmp_path / "e.jsonl", b"1", b"x" * 2_000_000, b"2"))
    assert [len(message.body) for message in worker.committed] == [1, 500_000, 1]


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_opened_is_said_before_anything_is_read(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidValue, match=r"cannot open .*: .*\. Give files of JSON Lines"):
        ReplayListener([a_file(tmp_path / "e.jsonl", b"1"), tmp_path / name], RecordingWorker())


def test_stopping_says_at_which_line_to_go_on(tmp_path: Path) -> None:
    path = a_file(tmp_path / "e.jsonl", *[b"{}"] * 10)
    worker = RecordingWorker()
    worker.hold()
    with running(listener := ReplayListener([path], worker, batch_size=4)):
        worker.committing.wait(10)
        listener.stop()
        worker.release()
    assert listener.replayed == Replayed(messages=4, next=f"{path}:5")


def test_a_batch_that_was_not_committed_is_where_to_go_on(tmp_path: Path) -> None:
    path = a_file(tmp_path / "e.jsonl", *[b"{}"] * 3)
    worker = RecordingWorker()
    worker.stop()
    (listener := ReplayListener([path], worker)).run()
    assert listener.replayed == Replayed(next=f"{path}:1")


def test_a_terminal_sees_a_progress_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_file(tmp_path / "e.jsonl", b"{}")
    ours, theirs = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with open(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        ReplayListener([path], RecordingWorker()).run()
        os.write(theirs, b"<first>")
        ReplayListener([path], RecordingWorker(), progress=False).run()
        os.write(theirs, b"<second>")
        seen = b""
        while not seen.endswith(b"<second>"):
            seen += os.read(ours, 10_000)
    os.close(ours)
    with_bar, _, without = seen.partition(b"<first>")
    assert b"Replaying" in with_bar
    assert without == b"<second>"


def test_a_file_sees_no_progress_bar(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ReplayListener([a_file(tmp_path / "e.jsonl", b"{}")], RecordingWorker()).run()
    assert capfd.readouterr().err == ""


class TestStandardInput:
    """A pipe may fall silent; what it gave until then is not held back."""

    @pytest.fixture
    def pipe(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
        """The end to write to of a pipe that is standard input."""
        read, write = os.pipe()
        with open(read) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            yield write

    def test_is_read_to_its_end(self, pipe: int) -> None:
        os.write(pipe, b"1\n2\n3")
        os.close(pipe)
        worker = RecordingWorker()
        ReplayListener(["-"], worker).run()
        assert [message.body for message in worker.committed] == [b"1", b"2", b"3"]
        assert worker.committed[2].source == "replay standard input:3"

    def test_what_came_is_taken_though_more_may_come(self, pipe: int) -> None:
        worker = RecordingWorker()
        with running(ReplayListener(["-"], worker)) as thread:
            os.write(pipe, b"1\n2\nhal")
            eventually(lambda: len(worker.committed) == 2)
            os.write(pipe, b"f\n")
            os.close(pipe)
            thread.join(10)
        assert [message.body for message in worker.committed] == [b"1", b"2", b"half"]

    def test_a_silent_pipe_does_not_keep_it_from_stopping(self, pipe: int) -> None:
        worker = RecordingWorker()
        listener: ReplayListener[object] = ReplayListener(["-"], worker)
        with running(listener) as thread:
            os.write(pipe, b"1\n")
            eventually(lambda: len(worker.committed) == 1)
            assert thread.is_alive()
        os.close(pipe)
        assert listener.replayed == Replayed(messages=1, next="standard input:2")

    def test_may_be_gzip_that_comes_byte_by_byte(self, pipe: int) -> None:
        worker = RecordingWorker()
        with running(ReplayListener(["-"], worker)) as thread:
            for byte in gzip.compress(b"1\n2\n"):
                os.write(pipe, bytes([byte]))
            os.close(pipe)
            thread.join(10)
        assert [message.body for message in worker.committed] == [b"1", b"2"]
