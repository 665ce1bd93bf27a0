"""What every part of `SqlStore` stands on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeAlias

from pipeline.alarms.alarm import Transition
from pipeline.dispatch import Entry
from pipeline.errors import InvalidValue
from pipeline.store.database import Database
from pipeline.store.routing import Sealer

Plan: TypeAlias = Callable[[Sequence[Transition], Sequence[Entry]], Sequence[Sequence[str]]]
"""Where the notification of each transition goes, by these entries."""


class Part:
    """A part of the store: its database, where times and ids come from, who is told of changes,
    what seals secrets, and what plans where the transitions go that people's changes cause."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        told: Sequence[str] = (),
        sealer: Sealer | None = None,
        plan: Plan | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._told = told
        self._sealer = sealer or NoKey()
        self._plan = plan or own_actions


def own_actions(
    transitions: Sequence[Transition], entries: Sequence[Entry]
) -> Sequence[Sequence[str]]:
    """Plans nothing: the actions are the alarms' own."""
    return [each.alarm.actions(each.current) for each in transitions]


class NoKey:
    """Keeps no secret, as nobody has given the store a key."""

    def seal(self, text: str, sealed: Collection[str] = ()) -> str:
        """Raises `InvalidValue`."""
        raise InvalidValue("there is no key to keep secrets with")

    def open(self, sealed: str) -> str:
        """Raises `InvalidValue`."""
        raise InvalidValue("there is no key to open secrets with")
