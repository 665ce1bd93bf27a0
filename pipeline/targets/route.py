"""Route: where a connection leads, and how. Values only."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. `who` names it without credentials; `authorization` is a header's value, and
    `secrets` are all spellings of what no outcome may hold of it."""

    who: str
    host: str
    port: int
    authorization: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


class Route(NamedTuple):
    """Where a connection leads, and how: what is sent over it may go over any other of its route.

    `tls` is None where it goes without. A `guarded` one leads to addresses that the guard has
    let through.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    proxy: Proxy | None = None
    guarded: bool = False
