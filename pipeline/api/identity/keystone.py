"""Keystone: `X-Auth-Token` with a token of OpenStack's Keystone, as OpenStack's clients send it.

The service user of `delivery.keystone_…` asks Keystone whose it is (Identity API v3, validate
token). What it says of a good one is kept for a short while, by the token's hash; of one that is
not good nothing is kept, and the API's limit on failures bounds how often Keystone is asked.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import iso8601

from pipeline.access import Caller
from pipeline.api.identity.openstack import caller_of_roles
from pipeline.errors import IdentityUnavailable, Unauthenticated
from pipeline.targets.identity import NoToken

_KEPT = 10_000


class Validation(Protocol):
    """Who can say whose a token is (`targets.identity.Identity`)."""

    def described(self, token: str) -> Mapping[str, Any] | None:
        """What Keystone says of a token; None where it is not good. Raises `NoToken`."""


class KeystoneIdentity:
    """Who shows a token of Keystone. Safe from many threads."""

    def __init__(
        self, keystone: Validation, cache_seconds: float, clock: Callable[[], datetime]
    ) -> None:
        self._keystone, self._clock = keystone, clock
        self._age = timedelta(seconds=cache_seconds)
        self._kept: OrderedDict[bytes, tuple[datetime, Caller]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, headers: Mapping[str, str]) -> Caller:
        """The caller that the token is of. Raises `Unauthenticated`, `IdentityUnavailable`."""
        token = headers.get("x-auth-token", "").strip()
        if not token:
            raise Unauthenticated("show who you are: send X-Auth-Token with a Keystone token.")
        key, now = hashlib.sha256(token.encode()).digest(), self._clock()
        with self._lock:
            until, caller = self._kept.get(key, (now, None))
        if caller is not None and now < until:
            return caller
        until, caller = self._asked(token, now)
        with self._lock:
            self._kept[key] = until, caller
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return caller

    def _asked(self, token: str, now: datetime) -> tuple[datetime, Caller]:
        """Whose it is, and until when that may be believed."""
        try:
            described = self._keystone.described(token)
        except NoToken as error:
            raise IdentityUnavailable(f"Keystone cannot be asked whose it is: {error}") from error
        ends = _expiry(described) if described else None
        if described is None or ends is None or ends <= now:
            raise Unauthenticated(
                "the Keystone token is not good, or not any more. Get a new one."
            )
        project = (described.get("project") or {}).get("id", "")
        roles = {str(role.get("name", "")).lower() for role in described.get("roles") or ()}
        caller = caller_of_roles(str(described["user"]["id"]), project, roles)
        return min(now + self._age, ends), caller


def _expiry(described: Mapping[str, Any]) -> datetime | None:
    try:
        return iso8601.parse_date(str(described.get("expires_at")))
    except iso8601.ParseError:
        return None
