"""A full disk for one running process: no file that it writes may grow any further.

The limit is the kernel's (RLIMIT_FSIZE), set from outside and taken back as well. SQLite's writes
then fail as they do on a full disk; Python ignores the signal that comes with it.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable

_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def fill(pids: Iterable[int], limit_bytes: int) -> None:
    """Let no file of these processes be written beyond so many bytes."""
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))


def free(pids: Iterable[int]) -> None:
    """Let them write again; those that have died meanwhile are passed over."""
    for pid in pids:
        if os.path.exists(f"/proc/{pid}"):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, _UNLIMITED)
