"""What came on a line behind an answer is seen before the next request goes out (delivery 1)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from time import monotonic

import pytest

from pipeline.targets import line as lines
from pipeline.targets.line import Line

from waiting import eventually


@pytest.fixture(params=["told by the kernel", "found by polling"])
def ends(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Line, socket.socket]]:
    """A line, and the other end of it."""
    if request.param == "found by polling":
        monkeypatch.setattr(lines, "_TCP_INFO", None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = Line(socket.create_connection(server.getsockname()))
        other, _ = server.accept()
        with other:
            yield line, other
        line.close()


def _read(line: Line, count: int) -> bytes:
    said = b""
    while len(said) < count:
        said += line.read(count - len(said), monotonic() + 60)
    return said


def test_a_line_is_quiet_once_all_that_came_was_read(ends: tuple[Line, socket.socket]) -> None:
    line, other = ends
    assert line.is_quiet

    for _ in range(2):
        other.sendall(b"answer")
        eventually(lambda: not line.is_quiet)
        assert _read(line, 6) == b"answer"
        assert line.is_quiet


def test_a_line_of_which_a_part_was_read_is_not_quiet(ends: tuple[Line, socket.socket]) -> None:
    line, other = ends
    other.sendall(b"answer")
    assert _read(line, 5) == b"answe"

    assert not line.is_quiet


def test_a_line_that_the_other_side_has_ended_is_not_quiet(
    ends: tuple[Line, socket.socket],
) -> None:
    line, other = ends
    other.sendall(b"answer")
    assert _read(line, 6) == b"answer"
    other.shutdown(socket.SHUT_WR)

    eventually(lambda: not line.is_quiet)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's struct tcp_info")
def test_the_kernel_counts_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every look would poll, which is slower and nothing worse."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = Line(socket.create_connection(server.getsockname()))
        other, _ = server.accept()
        with other:
            other.sendall(b"answer")
            assert _read(line, 6) == b"answer"
            monkeypatch.setattr(line, "_poll", None)

            assert line.is_quiet
        line.close()


@pytest.mark.parametrize("seconds", [0.005, 0.05])
def test_a_read_ends_when_its_time_has_come(
    ends: tuple[Line, socket.socket], seconds: float
) -> None:
    line, _ = ends

    with pytest.raises(TimeoutError):
        line.read(1, monotonic() + seconds)


def test_a_later_read_may_take_another_time(ends: tuple[Line, socket.socket]) -> None:
    line, other = ends
    with pytest.raises(TimeoutError):
        line.read(1, monotonic() + 0.02)
    other.sendall(b"a")

    assert line.read(1, monotonic() + 60) == b"a"
    with pytest.raises(TimeoutError):
        line.read(1, monotonic() + 0.02)
