"""Actions as they stand in an alarm: their scheme, whom they are for, what name they lead to.

Pure. Used wherever an action or a delivery is looked at.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from pipeline.alarms.alarm import Alarm
from pipeline.masking import MASK, has_plain_host

_LONGEST_HOST: Final = 253
NAMED: Final = "target"
"""The scheme of an action that leads to a target which has a name."""


def scheme(action: str) -> str:
    """The action's URL scheme in lower case, which names its target; `''` where it has none."""
    head, colon, _ = action.partition(":")
    return head.strip().lower() if colon else ""


def named(action: str, kind: str) -> str | None:
    """The name that an action leads to: `mail` for `target:mail`; None if it is no such action.

    `kind` is `target` or `group`.
    """
    if scheme(action) != kind:
        return None
    return action.partition(":")[2].strip() or None


def is_guarded(alarm: Alarm, action: str) -> bool:
    """Whether the outbound guard looks at what goes to this action of the alarm (delivery 9).

    A target that has a name leads where an admin said; who may use it is another question.
    """
    return alarm.guarded and named(action, NAMED) is None


@lru_cache(maxsize=10_000)
def receiver(action: str) -> str:
    """Who receives an action, fit to be shown: `https://host:port`, `log://`, `target:mail`.

    Two actions have the same receiver when the same server answers them. Neither credentials
    nor path nor query are part of it, as each may hold a secret; nor is the host of a scheme that
    is not known, which is only told apart: `tgram://***1f0c93a2`.
    """
    if name := named(action, NAMED):
        return f"{NAMED}:{name}"
    try:
        parts = urlsplit(action.strip())
        port = f":{parts.port}" if parts.port is not None else ""
        host = parts.hostname or ""
    except ValueError:
        return f"{scheme(action)}://"
    if host and not has_plain_host(parts.scheme):
        return f"{parts.scheme}://{MASK}{sha256(host.encode('utf-8', 'replace')).hexdigest()[:8]}"
    host = "".join(filter(str.isprintable, host))[:_LONGEST_HOST]
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
