"""API tokens: what one is, how it is spelled, and what its maker may give it (notifications 14).

A token is spelled `tocsin_ID_SECRET`: its row is looked up by the id, which is no secret, and the
secret is compared with its SHA-256, in constant time. A slow hash, as passwords need it, would
protect nothing here: the secret is 256 random bits, which nobody guesses however fast it goes, and
each request would pay for it.

Pure: whoever makes one brings its randomness and its time (`pipeline.desk.tokens`); the API reads
them (`pipeline.api.identity.token`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pipeline.access.caller import Caller, Permission, Role
from pipeline.errors import Forbidden

ID_BYTES, SECRET_BYTES = 8, 32
"""How much chance an id and a secret have."""

_SPELLED = re.compile(rf"tocsin_([0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")


class TokenState(StrEnum):
    """Whether a token opens anything."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Spelled(NamedTuple):
    """The parts of a token as it is sent."""

    token_id: str
    secret: str

    def __str__(self) -> str:
        return f"tocsin_{self.token_id}_{self.secret}"


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, without its secret.

    `projects` and `names` are those that it is held to; None: all. `made_by` is the user who made
    it, `made_with` the id of the token that they made it with, `''` for none.
    """

    token_id: str
    name: str
    role: Role
    created_at: datetime
    projects: frozenset[str] | None = None
    names: frozenset[str] | None = None
    made_by: str = ""
    made_with: str = ""
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> TokenState:
        """Whether it opens anything now."""
        if self.revoked_at is not None:
            return TokenState.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return TokenState.EXPIRED
        return TokenState.ACTIVE

    def caller(self) -> Caller:
        """Whoever shows it. What they make belongs to its project, where it has only one."""
        project = next(iter(self.projects)) if self.projects and len(self.projects) == 1 else ""
        return Caller(
            f"token:{self.name}",
            self.role,
            project,
            projects=self.projects,
            names=self.names,
            token_id=self.token_id,
        )


def parsed(text: str) -> Spelled | None:
    """The parts of a token; None for what is none."""
    found = _SPELLED.fullmatch(text)
    return Spelled(*found.groups()) if found else None


def hashed(secret: str) -> str:
    """The secret as it is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret_of(secret: str, kept: str) -> bool:
    """Whether this is the secret that is kept so; in constant time."""
    return hmac.compare_digest(hashed(secret), kept)


def granted(token: Token, maker: Caller, made_with: Token | None) -> Token:
    """The token with what its maker gives it: never more than they have themselves.

    What is not said is as the maker has it. A token that is held to projects reaches no names but
    those that are said: targets belong to no project. `made_with` is the token that the maker
    showed: what it makes ends with it. Raises `Forbidden`.
    """
    maker.require(Permission.MODIFY)
    if list(Role).index(token.role) > list(Role).index(maker.role):
        raise Forbidden(f"a token of role {token.role} is more than your own, {maker.role}.")
    projects = _within("project", token.projects, maker.projects)
    names = _within("name", token.names, maker.names)
    if names is None and projects is not None:
        names = frozenset()
    ends = token.expires_at
    if made_with is not None and made_with.expires_at is not None:
        ends = min(ends or made_with.expires_at, made_with.expires_at)
    return replace(token, projects=projects, names=names, expires_at=ends)


def _within(
    what: str, given: Collection[str] | None, own: frozenset[str] | None
) -> frozenset[str] | None:
    if given is None:
        return own
    if own is not None and (beyond := sorted(set(given) - own)):
        raise Forbidden(f"{what} {', '.join(beyond)} is not among those that you are held to.")
    return frozenset(given)
