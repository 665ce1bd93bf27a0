"""Dispatch: from an action, as it stands in an alarm, to who receives it.

Pure. Read by the store, which writes one delivery per action and keeps whom it is for beside it,
and by the notifier, which holds no more than so many attempts to one receiver at a time
(delivery 8).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

_LONGEST_HOST: Final = 253


def scheme(action: str) -> str:
    """The action's URL scheme in lower case, which names its target; `''` where it has none."""
    head, colon, _ = action.partition(":")
    return head.strip().lower() if colon else ""


@lru_cache(maxsize=10_000)
def receiver(action: str) -> str:
    """Who receives an action, fit to be shown: `https://host:port`, `log://`.

    Two actions have the same receiver when the same server answers them. Neither credentials
    nor path nor query are part of it, as each may hold a secret.
    """
    try:
        parts = urlsplit(action.strip())
        port = f":{parts.port}" if parts.port is not None else ""
        host = parts.hostname or ""
    except ValueError:
        return f"{scheme(action)}://"
    host = "".join(filter(str.isprintable, host))[:_LONGEST_HOST]
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
