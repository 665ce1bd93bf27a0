"""Ports for servers that are stopped and started again in a test.

A port that the system gave may be given to somebody's outgoing connection while the server is
down, and the server then finds it taken. These lie below those that systems give to connections.
"""

from __future__ import annotations

import random
import socket

_FIRST, _LAST = 20_000, 32_000
_chance = random.SystemRandom()


def lasting_port() -> int:
    """A port on loopback that is free now, and that no outgoing connection will take."""
    while True:
        port = _chance.randint(_FIRST, _LAST)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
