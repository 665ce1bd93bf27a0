"""The replay listener: messages that were captured, from files or standard input.

Hands on every line that is not blank, the broken ones included, so that they are rejected with
their place and the rest goes on. What a line holds is `pipeline.captured`'s business, what it
means the worker's. Made by `pipeline.app` and run by `tocsin replay` and `tocsin demo`.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import structlog
from rich.console import Console
from rich.progress import Progress

from pipeline.captured import read_line
from pipeline.errors import InvalidValue
from pipeline.listeners.base import Decisions, Message, Stopped, Worker
from pipeline.listeners.replay.lines import Unreadable, lines

STANDARD_INPUT = "-"
_PREFIX = "replay "


@dataclass(slots=True)
class Replayed:
    """How far a replay came.

    `messages` were committed, `broken` of them were no readable capture. `damaged` says of each
    source that could not be read to its end why. `next` is the first line that was not taken when
    the replay was stopped before its end (`FILE:LINE`), else `''`.
    """

    sources: int = 0
    messages: int = 0
    broken: int = 0
    damaged: tuple[str, ...] = ()
    next: str = ""


class ReplayListener(Generic[Decisions]):
    """Replays JSON Lines: captured deliveries or bare message bodies, gzip or not.

    `paths` are files, `-` is standard input. `progress` shows a bar on standard error; None:
    where that is a terminal. `replayed` counts. Raises `InvalidValue` when a file cannot be
    opened, before anything is read.
    """

    name = "replay"

    def __init__(
        self,
        paths: Sequence[str | Path],
        worker: Worker[Decisions],
        batch_size: int = 500,
        progress: bool | None = None,
    ) -> None:
        self._log = structlog.get_logger()
        self._worker, self._batch_size = worker, batch_size
        self._show = sys.stderr.isatty() if progress is None else progress
        self._stopping = threading.Event()
        self._sources = [(_label(path), _open(path)) for path in map(str, paths)]
        self.replayed = Replayed()

    def run(self) -> None:
        """Replay everything, or what comes before `stop`."""
        try:
            with self._bar() as advanced:
                for source, descriptor in self._sources:
                    self._replay(source, lines(descriptor, advanced))
        except Stopped:
            pass  # `replayed.next` says where.
        finally:
            for _, descriptor in self._sources:
                os.close(descriptor)
        done = self.replayed
        self._log.info("replay.ended", messages=done.messages, broken=done.broken)
        if done.next:
            self._log.warning("replay.stopped", next=done.next)

    def stop(self) -> None:
        """Read no more; finish the batch in hand, then return from `run`."""
        self._stopping.set()

    def _replay(self, source: str, received: Iterable[bytes | None]) -> None:
        """One source. A batch is also taken when nothing more has come for a moment."""
        batch: list[Message] = []
        number = 0
        try:
            for number, line in _numbered(received):
                if line and not line.isspace():
                    batch.append(self._message(line, f"{source}:{number}"))
                if len(batch) >= self._batch_size or line is None or self._stopping.is_set():
                    self._take(batch)
                    batch = []
                if self._stopping.is_set():
                    self.replayed.next = f"{source}:{number + 1}"
                    raise Stopped(f"after {source}:{number}")
        except Unreadable as error:
            reason = f"{source}:{number + 1}: {error}"
            self._log.error("replay.damaged", at=f"{source}:{number + 1}", error=str(error))
            self.replayed.damaged += (reason,)
        self._take(batch)
        self.replayed.sources += 1

    def _message(self, line: bytes, place: str) -> Message:
        try:
            body, content_type, headers, _ = read_line(line)
        except InvalidValue as error:
            self._log.debug("replay.broken_line", at=place, error=str(error))
            self.replayed.broken += 1
            return Message(line, source=f"{_PREFIX}{place}")
        return Message(body, content_type, headers, f"{_PREFIX}{place}")

    def _take(self, batch: Sequence[Message]) -> None:
        if not batch:
            return
        try:
            decisions = self._worker.decide(batch)
            if decisions is not None:
                self._worker.commit(decisions)
        except Stopped:
            self.replayed.next = batch[0].source.removeprefix(_PREFIX)
            raise
        self.replayed.messages += len(batch)

    @contextmanager
    def _bar(self) -> Iterator[Callable[[int], None]]:
        """A progress bar; what it gives is told of the bytes that were read."""
        total = _size(descriptor for _, descriptor in self._sources)
        with Progress(console=Console(stderr=True), disable=not self._show, transient=True) as bar:
            task = bar.add_task("Replaying", total=total)
            yield lambda count: bar.advance(task, count)


def _label(path: str) -> str:
    return "standard input" if path == STANDARD_INPUT else path


def _open(path: str) -> int:
    try:
        if path == STANDARD_INPUT:
            return os.dup(sys.stdin.fileno())
        if Path(path).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        mend = "Give files of JSON Lines, or - for standard input."
        raise InvalidValue(f"cannot open {_label(path)}: {error.strerror}. {mend}") from error


def _size(descriptors: Iterable[int]) -> int | None:
    """The size of all files; None where one is no file and has no size."""
    status = [os.fstat(descriptor) for descriptor in descriptors]
    if all(stat.S_ISREG(one.st_mode) for one in status):
        return sum(one.st_size for one in status)
    return None


def _numbered(received: Iterable[bytes | None]) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number, from 1; a None has the number of the line before."""
    number = 0
    for line in received:
        number += line is not None
        yield number, line
