"""An answer that is read in one go is read as `http.client` reads it (delivery 4)."""

from __future__ import annotations

import io
import socket
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.targets.line import Incoming, Line
from pipeline.targets.plain_answer import Reply, plain_answer

PLAIN = (
    b"HTTP/1.1 200 OK\r\nDate: Mon, 02 Mar 2026 12:00:00 GMT\r\nContent-Type:text/plain \r\n"
    b"Connection: keep-alive\r\nContent-Length: 4\r\n\r\n"
)
BODY = b"body"
EMPTY = "Content-Length: 0\r\n\r\n"

_lines = st.tuples(
    st.sampled_from([
        "Content-Length", "content-length", "Transfer-Encoding", "Connection", "Keep-Alive",
        "Retry-After", "X", "From ", "no colon", " folded", "ä", "",
    ]),
    st.sampled_from([":", ": ", ":\t ", "", " :", "::"]),
    st.sampled_from([
        "0", "4", "-4", "+4", "0_4", "4 ", "4, 4", "9" * 30, "", "chunked", "gzip", "close",
        "Keep-Alive, Close", "a\tb", "ü", "\x00", "\x0b", "\x85", "a\rb",
    ]) | st.text(max_size=8),
    st.sampled_from(["\r\n", "\n", "\r"]),
).map("".join)  # fmt: skip
_plainer = st.sampled_from([
    "Content-Length: 4\r\n", "content-length:0\r\n", "Connection: close\r\n", "A: b\r\n", "A:\r\n",
    "Content-Length:\r\n",
])  # fmt: skip
_starts = st.sampled_from([
    "HTTP/1.1 200 OK\r\n", "HTTP/1.1 503 Not  now \r\n", "HTTP/1.1 204 Nothing\r\n",
    "HTTP/1.1 304 Same\r\n", "HTTP/1.1 200\r\n", "HTTP/1.1 200 \r\n", "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 103 Soon\r\n", "HTTP/1.1 100 Go on\r\n", "HTTP/1.1 1000 What\r\n",
    "HTTP/2 200 OK\r\n", "HTTP/1.1  200 OK\r\n", "HTTP/1.1 200 OK\n", "SSH-2.0\r\n", "",
])  # fmt: skip
_heads = st.builds(
    lambda start, lines: (start + "".join(lines) + "\r\n").encode("latin-1", "replace"),
    _starts,
    st.lists(_lines | _plainer, max_size=6) | st.lists(_plainer, max_size=6),
)


_bodies = st.sampled_from([b"", b"body", b"bod", b"body\r\n", b"bodyHTTP/1.1 400 No\r\n\r\n"])


@given(_heads, _bodies)
@example(PLAIN, BODY)
@example(PLAIN[:-1], BODY)
@example(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 98 + b"Content-Length: 4\r\n\r\n", BODY)
@example(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 99 + b"Content-Length: 4\r\n\r\n", BODY)
@example(b"HTTP/1.1 200 OK\r\nContent-Length:\r\nContent-Length: 4\r\n\r\n", BODY)
@example(b"HTTP/1.1 200 OK\r\nConnection:\r\nConnection: close\r\nA: b\r\n\r\n", b"")
def test_what_is_read_at_once_http_client_reads_the_same(head: bytes, body: bytes) -> None:
    reply = plain_answer(head + body)

    assert reply in (None, _by_http_client(head + body))


@pytest.mark.parametrize("cut", range(1, len(PLAIN + BODY)))
def test_a_part_of_an_answer_is_no_answer(cut: int) -> None:
    assert plain_answer((PLAIN + BODY)[:-cut]) is None


def test_what_stands_behind_an_answer_is_not_passed_over() -> None:
    assert plain_answer(PLAIN + BODY + b"H") is None


def test_a_plain_answer_is_not_left_to_http_client() -> None:
    date = ("date", "Mon, 02 Mar 2026 12:00:00 GMT")
    kept, length = ("connection", "keep-alive"), ("content-length", "4")
    headers = [date, ("content-type", "text/plain "), kept, length]

    assert plain_answer(PLAIN + BODY) == Reply(200, headers, b"body", closes=False)


@pytest.mark.parametrize("said", ["close", "Keep-Alive, Close"])
def test_a_plain_answer_may_be_the_last(said: str) -> None:
    reply = plain_answer(f"HTTP/1.1 200 OK\r\nConnection: {said}\r\n{EMPTY}".encode())

    assert reply is not None
    assert reply.closes


@given(st.lists(st.integers(1, 40), max_size=6))
def test_an_answer_that_comes_in_pieces_is_read_all_the_same(lengths: list[int]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        said, at = PLAIN + BODY, 0
        for length in lengths:
            theirs.sendall(said[at : at + length])
            at += length
        begun = ours.recv(at) if at else b""
        theirs.sendall(said[at:])
        incoming: Any = Incoming(Line(ours), monotonic() + 60, begun)
        answer = HTTPResponse(incoming, method="POST")
        answer.begin()

        assert (answer.status, answer.read()) == (200, BODY)


def _by_http_client(said: bytes) -> Reply | None:
    """What it makes of them, if it understands them and they are one answer, whole and no more."""
    answer = HTTPResponse(_Socket(said), method="POST")  # type: ignore[arg-type]
    try:
        answer.begin()
        length = answer.length
        body = answer.fp.read(length) if answer.fp else b""
    except (HTTPException, ValueError):
        return None
    rest = answer.fp.read() if answer.fp else b""
    if length is None or len(body) != length or rest:
        return None
    headers = [(name.lower(), value) for name, value in answer.headers.items()]
    return Reply(answer.status, headers, body, answer.will_close)


class _Socket(io.BytesIO):
    def makefile(self, mode: str) -> io.BytesIO:
        return self
