"""Takes messages out of a folder as kombu writes them, so that a killed listener loses none.

kombu removes a message's file when it reads it. Here each listener has a folder of its own,
`taken/ID`: a file is renamed into it, and removed when its batch is acknowledged. A listener that
lives touches its folder; what is in one that nobody touched for the visibility timeout is renamed
back by whoever is alive. Renaming is the only lock: of two listeners one gets the file.

Any file `NAME.QUEUE.msg`, without a dot in NAME, is a message; one that kombu did not write is its
own body. A file that somebody is writing at this moment is left until it is whole.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from kombu import Connection

from pipeline.listeners.bus import received
from pipeline.listeners.bus.consumer import declare
from pipeline.listeners.bus.settings import BusSettings
from pipeline.listeners.bus.source import Batch, ask_again, gather, wait_for

_TOUCHED_IN_A_TIMEOUT = 3
_WHOLE_BY_THEN_SECONDS = 2.0
"""A file that is no JSON is taken for what it is when nobody wrote to it for so long."""


class FolderSource:
    """A `Source` over a folder, the transport option `data_folder_in`."""

    def __init__(
        self, connection: Connection, settings: BusSettings, name: str, beat: Callable[[], object]
    ) -> None:
        self._beat = beat
        self._settings, self._name = settings, name
        self._channel: Any = connection.channel()
        declare(self._channel, settings)
        self._folder = Path(self._channel.data_folder_in)
        self._taken = self._folder / "taken"
        self._mine = self._taken / uuid.uuid4().hex
        self._batch = Batch([], [])
        self._touch_at = 0.0

    def next_batch(self) -> Batch | None:
        """What has come in, up to the batch size. None when nothing came within a tick."""
        self._look_after_claims()
        gather(self._settings, self._receive, 0)
        return self._batch if self._batch.tags else None

    def acknowledge(self, batch: Batch) -> None:
        """Remove the files of the batch."""
        for path in batch.tags:
            path.unlink(missing_ok=True)
        self._batch = Batch([], [])

    def stay_alive_until(self, outcome: Future[None]) -> None:
        """Touch the folder of what is held while the commit goes on; raises what it raised."""
        every = self._settings.visibility_timeout_seconds / _TOUCHED_IN_A_TIMEOUT
        wait_for(outcome, every, lambda: os.utime(self._mine), self._beat)

    def waiting(self) -> Mapping[str, int]:
        """How many files wait in each queue."""
        found = Counter(queue for _, queue in self._waiting())
        return {queue: found[queue] for queue in self._settings.queues}

    def close(self) -> None:
        """Put back what was taken and not acknowledged."""
        self._batch = Batch([], [])
        self._put_back(self._mine)
        self._channel.close()

    def _receive(self, seconds: float, most: int) -> int:
        """Take what comes within the time; how many that were."""
        return ask_again(lambda: self._take(most), seconds, self._settings.poll_seconds)

    def _take(self, most: int) -> int:
        before = len(self._batch.tags)
        for name, queue in self._waiting():
            if len(self._batch.tags) - before == most:
                break
            path = self._mine / name
            if path.exists():
                continue  # Its name came again; it waits until the first is done.
            try:
                (self._folder / name).rename(path)
            except FileNotFoundError:
                continue  # Another listener was faster.
            body = path.read_bytes()
            if _is_being_written(path, body):
                path.rename(_free(self._folder / name))
                continue
            self._batch.messages.append(received.read(body, f"{self._name} {queue}"))
            self._batch.tags.append(path)
        return len(self._batch.tags) - before

    def _waiting(self) -> Iterator[tuple[str, str]]:
        """Names of messages and their queues, in the order of the names: kombu's begin with the
        time."""
        endings = {f"{queue}.msg": queue for queue in self._settings.queues}
        for name in sorted(os.listdir(self._folder)):
            # Behind the first dot, as kombu has it: one queue's name may be another's end.
            queue = endings.get(name.partition(".")[2])
            if queue is not None:
                yield name, queue

    def _look_after_claims(self) -> None:
        """Keep our own folder alive, and put back what listeners that died had taken."""
        if time.monotonic() < self._touch_at:
            return
        timeout = self._settings.visibility_timeout_seconds
        self._touch_at = time.monotonic() + timeout / _TOUCHED_IN_A_TIMEOUT
        self._mine.mkdir(parents=True, exist_ok=True)
        os.utime(self._mine)
        for holder in self._taken.iterdir():
            with suppress(FileNotFoundError):  # Another listener does the same.
                if holder != self._mine and holder.stat().st_mtime < time.time() - timeout:
                    self._put_back(holder)

    def _put_back(self, holder: Path) -> None:
        with suppress(FileNotFoundError):
            for path in holder.iterdir():
                with suppress(FileNotFoundError):
                    path.rename(_free(self._folder / path.name))
            holder.rmdir()


def _free(path: Path) -> Path:
    """The path; one beside it where another file came to be called so meanwhile."""
    if not path.exists():
        return path
    name, _, queue = path.name.partition(".")
    return path.with_name(f"{name}-{uuid.uuid4().hex}.{queue}")


def _is_being_written(path: Path, body: bytes) -> bool:
    """kombu writes into the file itself, so that half a message may be found in it."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return time.time() - path.stat().st_mtime < _WHOLE_BY_THEN_SECONDS
    return False
