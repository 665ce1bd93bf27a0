"""Answer: what a receiver said over HTTP, and the judgement of it (delivery 4). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import responses as phrases
from urllib.parse import urljoin

from pipeline.dispatch import receiver
from pipeline.notification import Delivered, Failed, Outcome, Refused

MAY_WORK_LATER = frozenset({408, 409, 425, 429})
"""The 4xx that say "not now" rather than "never"; 5xx say so too."""

_LONGEST = timedelta(days=3650)
_SECONDS = re.compile(r"[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer to a request to `url`.

    `headers` have lower-case names; of one that stands there several times the last counts, but
    of `set-cookie` each is a line. `head` is the start of the body as text that may be shown;
    `body` is as much of it as was read (64 KiB) as it came, for a target to look into.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    head: str
    body: bytes = field(default=b"", repr=False)


def judge(answer: Answer, now: datetime) -> Outcome:
    """The outcome that an answer stands for.

    2xx delivered; 408, 409, 425, 429 and 5xx failed; everything else refused, redirects
    included, since they are not followed. 410 is refused for good.
    """
    status, head = answer.status, answer.head
    said = f"answered {status} {phrases.get(status, '')}".rstrip()
    if 200 <= status < 300:
        return Delivered(status, head)
    if status >= 500 or status in MAY_WORK_LATER:
        wait = retry_after(answer.headers.get("retry-after", ""), now)
        return Failed(said, status, head, retry_after=wait)
    if status == 410:
        return Refused(f"{said}: it wants nothing more from us", status, head, gone=True)
    if 300 <= status < 400 and "location" in answer.headers:
        return Refused(said + _redirected(answer), status, head)
    return Refused(said, status, head)


def retry_after(value: str, now: datetime) -> timedelta | None:
    """What a `Retry-After` asks for, in seconds or as an HTTP date; None when it says nothing."""
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return timedelta(seconds=int(value)) if len(value) < 9 else _LONGEST
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(at - now, timedelta())


def _redirected(answer: Answer) -> str:
    try:
        to = receiver(urljoin(answer.url, answer.headers["location"]))
    except ValueError:
        to = "somewhere that is not a URL"
    return f" to {to}; redirects are not followed. Put the new address into the alarm's actions"
