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

_chances: list[str] = []
"""Each is used once: `pop` is one step, whatever other threads do."""


def new_id() -> str:
    """A new UUID, as text. From any thread."""
    try:
        chance = _chances.pop()
    except IndexError:
        _fetch()
        return new_id()
    variant = _VARIANTS[int(chance[3], 16) & 3]
    now = f"{time.time_ns() // 1_000_000:012x}"
    return f"{now[:8]}-{now[8:]}-7{chance[:3]}-{variant}{chance[4:7]}-{chance[7:19]}"


def _fetch() -> None:
    fetched, length = os.urandom(_AT_ONCE * _CHANCE_BYTES).hex(), 2 * _CHANCE_BYTES
    _chances.extend(fetched[at : at + length] for at in range(0, len(fetched), length))


# What a process and its child both had would be used twice.
os.register_at_fork(after_in_child=_chances.clear)
