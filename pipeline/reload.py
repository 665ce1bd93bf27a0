"""Reloading: notices that a configuration file has changed.

A `FileWatch` looks at its files a few times a second and tells when one is another than before.
It never reads them, and decides nothing about what they say: whoever is told loads them and keeps
the running configuration in force if they are wrong. Run in a thread of its own by the process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

_LOOK_SECONDS = 0.25


class _Stamp(NamedTuple):
    """What tells one state of a file from another; a rename over it changes the inode."""

    modified_ns: int
    size: int
    inode: int


class FileWatch:
    """Calls `on_change` once when any of the files was changed, replaced, made or removed.

    A change counts when two looks in a row see the same: a file that is being written is left
    until it rests, and an editor's moment without the file is passed over.
    """

    name = "file watch"

    def __init__(
        self,
        paths: Sequence[str | Path],
        on_change: Callable[[], None],
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._paths = [Path(path) for path in paths]
        self._on_change, self._look_seconds = on_change, look_seconds
        self._stopping = threading.Event()
        self._known = self._last = self._stamps()

    def run(self) -> None:
        """Look until `stop`."""
        while not self._stopping.wait(self._look_seconds):
            self.look()

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()

    def look(self) -> None:
        """Look once, and tell of a change that has come to rest."""
        now = self._stamps()
        at_rest, self._last = now == self._last, now
        if at_rest and now != self._known:
            self._known = now
            self._on_change()

    def _stamps(self) -> list[_Stamp | None]:
        return file_stamps(self._paths)


def file_stamps(paths: Sequence[str | Path]) -> list[_Stamp | None]:
    """What tells these states of the files from others."""
    return [_stamp(Path(path)) for path in paths]


def _stamp(path: Path) -> _Stamp | None:
    """None for a file that is not there, or not for us to see."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return _Stamp(status.st_mtime_ns, status.st_size, status.st_ino)
