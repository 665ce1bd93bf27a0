"""Ids: UUIDs that sort by the time at which they were made (RFC 9562, version 7).

Rows that are written together so stand together in every index on ids: random ones would each
change a page of their own, once a table has outgrown the memory.

A transition needs several. Each call of the system for its chance would hand the interpreter to
another thread, and get it back only milliseconds later, while a listener is busy; so chance is
fetched for many at once.
"""

from __future__ import annotations

import os
import time

_CHANCE_BYTES = 10
_AT_ONCE = 256
_VARIANTS = "89ab"


class Ids:
    """A source of ids. Safe to use from many threads, and in a process that was forked."""

    def __init__(self) -> None:
        self._chances: list[str] = []
        self._process = os.getpid()

    def new(self) -> str:
        """A new UUID, as text."""
        try:
            # One step, whatever other threads do: none is taken twice.
            chance = self._chances.pop()
        except IndexError:
            self._fetch()
            return self.new()
        if self._process != os.getpid():  # the parent has it too
            self._process, self._chances = os.getpid(), []
            return self.new()
        variant = _VARIANTS[int(chance[3], 16) & 3]
        now = f"{time.time_ns() // 1_000_000:012x}"
        return f"{now[:8]}-{now[8:]}-7{chance[:3]}-{variant}{chance[4:7]}-{chance[7:19]}"

    def _fetch(self) -> None:
        fetched, length = os.urandom(_AT_ONCE * _CHANCE_BYTES).hex(), 2 * _CHANCE_BYTES
        some = range(0, len(fetched), length)
        self._chances.extend(fetched[at : at + length] for at in some)
