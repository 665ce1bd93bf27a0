"""API tokens and the history of what people changed, as the store keeps them.

`pipeline.store.sql.tokens` and `pipeline.store.sql.changes` carry this out. A change is written in
the transaction that it tells of. Alarms have a history of their own (`managing.Alarms.history`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pipeline.access import LOCAL, Caller
from pipeline.access.tokens import Token


class Action(StrEnum):
    """What was done."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a person changed.

    `kind` is the word for it (target, token, …). `changed` has for each property that became
    another what it was and what it is, None where it was or is not there; secrets are `***`.
    """

    kind: str
    name: str
    action: Action
    changed: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """A change, by whom and when. `sequence` is the order in which they were written."""

    sequence: int
    change: Change
    user_id: str
    project_id: str
    timestamp: datetime


class Changes(Protocol):
    """The history of what people changed."""

    def changes(
        self,
        kind: str | None = None,
        name: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int | None = None,
        names: Collection[str] | None = None,
    ) -> Sequence[ChangeEntry]:
        """The newest first: of this kind and name, from that time on, and written before the one
        of this sequence; `names` is what the caller is held to."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token, and the hash of its secret."""

    token: Token
    secret_hash: str


class Tokens(Protocol):
    """API tokens. A name is that of one token at a time: the one that is not revoked."""

    def create_token(self, stored: StoredToken, by: Caller = LOCAL) -> None:
        """Keep a new one. Raises `Conflict` for a name that is taken, `Unauthenticated` where
        the token that it is made with was revoked meanwhile."""

    def tokens(self) -> list[Token]:
        """All that are kept, by name, the newest first."""

    def token(self, id_or_name: str) -> Token:
        """By id, else by name: the one that is not revoked, else the newest. `NotFound`."""

    def token_of_id(self, token_id: str) -> StoredToken | None:
        """The token with its hash, as it is now."""

    def token_used(self, token_id: str, at: datetime) -> None:
        """It was shown at that time."""

    def revoke_token(self, token_id: str, at: datetime, by: Caller = LOCAL) -> list[Token]:
        """End a token and all that were made with it; those that this ended. `NotFound`."""
