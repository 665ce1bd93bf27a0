"""`file:///path?max_bytes=&backup_count=&json`: one line for each event in a file.

The options are Ceilometer's: `json` writes JSON (else Python's form of the same); with both
`max_bytes` and `backup_count` it rotates, see `pipeline.line_file`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from marshmallow import Schema, fields
from marshmallow.validate import Range

from pipeline.errors import InvalidValue, PublishFailed
from pipeline.event import Event
from pipeline.line_file import LineFile
from pipeline.publishers.base import Tools
from pipeline.publishers.url_options import read_options


class FilePublisher:
    """Appends events to the file that its URL names. Safe from many threads."""

    def __init__(self, url: str, tools: Tools) -> None:
        self.url = url
        path = _path(url)
        self._options = read_options(url, _Options())
        self._file = LineFile(
            path,
            self._options.get("max_bytes", 0),
            self._options.get("backup_count", 0),
        )

    def publish(self, events: Sequence[Event]) -> None:
        """Write a line for each event and hand it to the operating system.

        Raises `PublishFailed` when the file cannot be opened or written.
        """
        lines = [self._line(event) for event in events]
        try:
            self._file.append(lines)
        except OSError as error:
            raise PublishFailed(self._file.reason(error)) from error

    def close(self) -> None:
        """Close the file; the next event opens it again."""
        self._file.close()

    def _line(self, event: Event) -> str:
        wire = event.as_dict()
        return json.dumps(wire, default=str) if "json" in self._options else repr(wire)


# --- the URL ---------------------------------------------------------------------------------


def _count(example: str) -> fields.Integer:
    return fields.Integer(
        validate=Range(min=0, error="give 0 or more, not {input}."),
        error_messages={"invalid": f"expects a number, as {example}."},
    )


class _Options(Schema):
    max_bytes = _count("10000000")
    backup_count = _count("5")
    json = fields.String()


def _path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        message = f"{parts.netloc!r} stands where a host would. Write three slashes"
        raise InvalidValue(f"{message}: file:///{parts.netloc}{parts.path}")
    if parts.path.rstrip("/") == "" or parts.path.endswith("/"):
        raise InvalidValue("names no file. Write a path, as file:///var/log/events.json?json")
    return Path(unquote(parts.path))
