"""LineFile: lines appended to a file that rotates by size, or is rotated from outside.

With both `max_bytes` and `backup_count`, a file that would grow to `max_bytes` is renamed to
`path.1`, `path.1` to `path.2` and so on, and `backup_count` old ones are kept. Only one process
should write a file that rotates: two would rename it under each other. Without them the file may
be rotated from outside (logrotate): when it is gone from its path, it is made anew. Used by the
publisher and the target that write files.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path


class LineFile:
    """One file, opened when it is first needed. Safe from many threads."""

    def __init__(self, path: Path, max_bytes: int = 0, backup_count: int = 0) -> None:
        self._path, self._max_bytes, self._backup_count = path, max_bytes, backup_count
        self._file: logging.Handler | None = None
        self._lock = threading.Lock()

    def append(self, lines: Iterable[str]) -> None:
        """Write the lines and hand them to the operating system. Raises `OSError`."""
        with self._lock:
            try:
                self._file = self._file or self._opened()
                for line in lines:
                    self._file.emit(logging.makeLogRecord({"msg": line}))
            except OSError:
                self._close()
                raise

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        with self._lock:
            self._close()

    def reason(self, error: OSError) -> str:
        """Why it cannot be written, and how to mend that."""
        path = self._path
        if isinstance(error, FileNotFoundError):
            return f"cannot write {path}: the folder {path.parent} does not exist. Create it."
        if isinstance(error, PermissionError):
            return f"cannot write {path}: permission denied. Let Tocsin's user write there."
        return f"cannot write {path}: {error.strerror or error}."

    def _opened(self) -> logging.Handler:
        if not (self._max_bytes and self._backup_count):
            return _Watched(self._path, encoding="utf-8")
        return _Rotating(
            self._path,
            maxBytes=self._max_bytes,
            backupCount=self._backup_count,
            encoding="utf-8",
        )

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


def _ends_with_newline(path: str) -> bool:
    """False after a write that broke off, on a full disk for example."""
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
