"""A head that is read in one go is read as `http.client` reads it (delivery 4)."""

from __future__ import annotations

import io
from http.client import HTTPException, HTTPResponse
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.targets.plain_head import PlainlyRead

PLAIN = (
    b"HTTP/1.1 200 OK\r\nDate: Mon, 02 Mar 2026 12:00:00 GMT\r\nContent-Type:text/plain \r\n"
    b"Connection: keep-alive\r\nContent-Length: 4\r\n\r\n"
)
BODY = b"bodyHTTP/1.1 400 No\r\n\r\n"

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


@given(_heads)
@example(PLAIN)
@example(PLAIN[:-1])
@example(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 98 + b"Content-Length: 1\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 99 + b"Content-Length: 1\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length:\r\nContent-Length: 1\r\n\r\n")
def test_every_head_is_read_as_http_client_reads_it(head: bytes) -> None:
    assert _read(PlainlyRead, head + BODY) == _read(HTTPResponse, head + BODY)


def test_a_plain_head_is_not_left_to_http_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HTTPResponse, "begin", lambda self: pytest.fail("it was"))

    assert _read(PlainlyRead, PLAIN + BODY)["status"] == 200


def test_a_head_that_comes_in_pieces_is_read_all_the_same() -> None:
    answer = PlainlyRead(_Socket(PLAIN + BODY, at_a_time=7), method="POST")  # type: ignore[arg-type]
    answer.begin()

    assert (answer.status, answer.read()) == (200, b"body")


def _read(kind: type[HTTPResponse], said: bytes) -> dict[str, Any]:
    """What became of it: the head, and what is left behind it."""
    answer = kind(_Socket(said), method="POST")  # type: ignore[arg-type]
    try:
        answer.begin()
    except (HTTPException, ValueError) as error:
        return {"raised": type(error)}
    names = ("status", "code", "version", "reason", "chunked", "length", "will_close")
    told = {name: getattr(answer, name) for name in names}
    return {**told, "headers": answer.headers.items(), "rest": answer.fp.read()}


class _Socket(io.RawIOBase):
    def __init__(self, said: bytes, at_a_time: int = 8192) -> None:
        self._said, self._at_a_time = said, at_a_time

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part, self._said = self._said[: self._at_a_time], self._said[self._at_a_time :]
        buffer[: len(part)] = part
        return len(part)
