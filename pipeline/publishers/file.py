"""`file:///path?max_bytes=&backup_count=&json`: one line for each event in a file.

The options are Ceilometer's: `json` writes JSON (else Python's form of the same); with both
`max_bytes` and `backup_count`, a file that would grow to `max_bytes` is renamed to `path.1`,
`path.1` to `path.2` and so on, and `backup_count` old ones are kept. Only one process should
write a file that rotates: two would rename it under each other. Without them the file may be
rotated from outside (logrotate): when it is gone from its path, it is made anew.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from marshmallow import Schema, fields
from marshmallow.validate import Range

from pipeline.errors import InvalidValue, PublishFailed
from pipeline.event import Event
from pipeline.publishers.base import Tools
from pipeline.publishers.url_options import read_options


class FilePublisher:
    """Appends events to the file that its URL names. Safe from many threads."""

    def __init__(self, url: str, tools: Tools) -> None:
        self.url = url
        self._path = _path(url)
        self._options = read_options(url, _Options())
        self._file: logging.Handler | None = None
        self._lock = threading.Lock()

    def publish(self, events: Sequence[Event]) -> None:
        """Write a line for each event and hand it to the operating system.

        Raises `PublishFailed` when the file cannot be opened or written.
        """
        lines = [self._line(event) for event in events]
        with self._lock:
            try:
                self._file = self._file or _opened(self._path, self._options)
                for line in lines:
                    self._file.emit(logging.makeLogRecord({"msg": line}))
            except OSError as error:
                self._close()
                raise PublishFailed(_reason(self._path, error)) from error

    def close(self) -> None:
        """Close the file; the next event opens it again."""
        with self._lock:
            self._close()

    def _line(self, event: Event) -> str:
        wire = event.as_dict()
        return json.dumps(wire, default=str) if "json" in self._options else repr(wire)

    def _close(self) -> None:
        if self._file is not None:
            # Every line was flushed, or its failure reported: closing has nothing left to write.
            with suppress(OSError):
                self._file.close()
        self._file = None


class _Raising:
    """Makes a log handler raise what it would print to standard error and forget."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by the handlers while the error is being handled."""
        raise

    def _open(self) -> TextIOWrapper:
        stream: TextIOWrapper = super()._open()  # type: ignore[misc]  # of the handler beside it
        if stream.tell() > 0 and not _ends_with_newline(stream.name):
            stream.write("\n")
        return stream


class _Rotating(_Raising, RotatingFileHandler):
    """Renames the file when it is full."""


class _Watched(_Raising, WatchedFileHandler):
    """Makes the file anew when somebody else renamed it."""


def _opened(path: Path, options: Mapping[str, Any]) -> logging.Handler:
    max_bytes, backup_count = options.get("max_bytes"), options.get("backup_count")
    if max_bytes and backup_count:
        return _Rotating(path, maxBytes=max_bytes, backupCount=backup_count, encoding="utf-8")
    return _Watched(path, encoding="utf-8")


def _ends_with_newline(path: str) -> bool:
    """False after a write that broke off, on a full disk for example."""
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


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


def _reason(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"cannot write {path}: the folder {path.parent} does not exist. Create it."
    if isinstance(error, PermissionError):
        return f"cannot write {path}: permission denied. Let Tocsin's user write there."
    return f"cannot write {path}: {error.strerror or error}."
