"""What every part of `SqlStore` stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from pipeline.store.database import Database


class Part:
    """A part of the store: its database, where times and ids come from, who is told of changes."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        told: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._told = told
