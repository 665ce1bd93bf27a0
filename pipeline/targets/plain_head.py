"""Plain head: the head of an answer as all but all servers send it, read in one go.

`http.client` reads heads by the e-mail parser, which takes longer than all else that becomes of a
delivery. Here a head is known as a whole by one expression: HTTP/1.1, a final status, header
lines of printable ASCII, one Content-Length in digits, no Transfer-Encoding, all of it there.
Whatever else comes is left to `http.client`, untouched; what is read here, it would read the same.

Used by `pipeline.targets.connection` alone.
"""

from __future__ import annotations

import re
from http.client import HTTPMessage, HTTPResponse

_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-9][0-9]{2}) ([\x21-\x7e][\x20-\x7e]*)\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e]*\r\n){1,99})\r\n"
)
_LENGTH = re.compile(r"[0-9]{1,18}")
_WITHOUT_BODY = frozenset({204, 304})


class PlainlyRead(HTTPResponse):
    """An answer whose head may be plain."""

    def begin(self) -> None:
        """Read the head."""
        head = _HEAD.match(self.fp.peek(1))  # all that is there
        if head is None or not self._is(head):
            super().begin()

    def close(self) -> None:
        """Let go of what it is read from, which holds nothing but memory."""
        self.fp = None  # type: ignore[assignment]

    def _is(self, head: re.Match[bytes]) -> bool:
        """Whether this is an answer with that head; then the head is read."""
        status, message = int(head[1]), HTTPMessage()
        framing: dict[str, str | None] = {"content-length": None, "connection": None}
        for line in head[3].decode("ascii").split("\r\n")[:-1]:
            name, _, value = line.partition(":")
            value = value.lstrip(" \t")
            message.set_raw(name, value)
            lower = name.lower()
            if framing.get(lower) is not None or lower == "transfer-encoding":
                return False  # twice, or not by length
            if lower in framing:
                framing[lower] = value
        length, connection = framing["content-length"] or "", framing["connection"] or ""
        if status in _WITHOUT_BODY or not _LENGTH.fullmatch(length):
            return False
        self.fp.read(head.end())
        self.code = self.status = status
        self.version, self.reason = 11, head[2].decode("ascii").strip()
        self.headers = self.msg = message
        self.chunked, self.length = False, int(length)
        self.will_close = "close" in connection.lower()
        return True
