"""Plain answer: an answer as all but all servers send it, read in one go.

`http.client` reads heads by the e-mail parser, which takes longer than all else that becomes of a
delivery. Here an answer is known as a whole by one expression: HTTP/1.1, a final status, header
lines of printable ASCII, one Content-Length in digits, no Transfer-Encoding, a body of just that
length, all of it there and nothing behind it. Whatever else comes is left to `http.client`; what
is read here, it would read the same.

Pure. Used by `pipeline.targets.connection` alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-9][0-9]{2}) [\x21-\x7e][\x20-\x7e]*\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e]*\r\n){1,99})\r\n"
)
_LENGTH = re.compile(r"[0-9]{1,18}")
_WITHOUT_BODY = frozenset({204, 304})


class Reply(NamedTuple):
    """What was answered: the headers in their order, with lower-case names.

    `body` is as much of it as was read. `closes`: the other side wants no more on its connection.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    closes: bool


def plain_answer(said: bytes) -> Reply | None:
    """What was said, if that is one plain answer from its first byte to its last."""
    head = _HEAD.match(said)
    if head is None:
        return None
    headers: list[tuple[str, str]] = []
    length: str | None = None
    connection: str | None = None
    for line in head[2].decode("ascii").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.lstrip(" \t")
        headers.append((name, value))
        if name == "content-length":
            if length is not None:
                return None
            length = value
        elif name == "connection":
            if connection is not None:
                return None
            connection = value
        elif name == "transfer-encoding":
            return None
    status, body = int(head[1]), said[head.end() :]
    if status in _WITHOUT_BODY or length is None or not _LENGTH.fullmatch(length):
        return None
    if int(length) != len(body):
        return None
    return Reply(status, headers, body, connection is not None and "close" in connection.lower())
