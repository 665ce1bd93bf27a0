"""What every part of `SqlStore` stands on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from pipeline.errors import InvalidValue
from pipeline.store.database import Database
from pipeline.store.routing import Sealer


class Part:
    """A part of the store: its database, where times and ids come from, who is told of changes,
    and what seals secrets."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        told: Sequence[str] = (),
        sealer: Sealer | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._told = told
        self._sealer = sealer or NoKey()


class NoKey:
    """Keeps no secret, as nobody has given the store a key."""

    def seal(self, text: str, sealed: Collection[str] = ()) -> str:
        """Raises `InvalidValue`."""
        raise InvalidValue("there is no key to keep secrets with")

    def open(self, sealed: str) -> str:
        """Raises `InvalidValue`."""
        raise InvalidValue("there is no key to open secrets with")
