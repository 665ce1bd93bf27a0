"""What may be asked at the desk of people: the tokens by which they ask, and what they changed.

`pipeline.desk.base` says what is true of all that is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pipeline.desk.base import Document, Page


class Tokens(Protocol):
    """API tokens. A document has `token_id`, `name`, `role`, `projects` and `names` (null for
    all), `state` (active, expired, revoked), who made it and when, and when it was used last."""

    def create(self, document: Mapping[str, Any]) -> Document:
        """Make one; the document has its `token` besides, which nobody can see again.

        Takes `name`, `role`, and if it is to be held to some, `projects`, `names` and
        `expires_at`. Raises `InvalidValue`, `Conflict` for a name that is taken, `Forbidden` for
        what is more than the caller has.
        """

    def listed(self) -> list[Document]:
        """All that are kept, by name."""

    def found(self, id_or_name: str) -> Document:
        """By id, else by name. Raises `NotFound`."""

    def revoke(self, id_or_name: str) -> list[Document]:
        """End a token, and all that were made with it; those that this ended. `NotFound`."""


class History(Protocol):
    """What people changed, but for alarms, which have histories of their own."""

    def changes(
        self,
        kind: str | None = None,
        name: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """The newest first: of this kind and name, from that time on.

        A document has `change_id`, `timestamp`, `user_id`, `project_id`, `kind`, `name`, `action`
        (create, update, delete) and `changed`: for each property that is another now, `before`
        and `after`, secrets as ***.
        """
