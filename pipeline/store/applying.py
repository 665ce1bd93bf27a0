"""What files say there is to be, as it is written into the store: all of it or nothing.

`pipeline.store.sql.applying` carries this out for `tocsin apply` and the imports.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from pipeline.access import LOCAL, Caller
from pipeline.alarms.alarm import Alarm
from pipeline.dispatch import Entry
from pipeline.store.routing import EntryChange

ALARM, ENTRY = "alarm", "entry"


@dataclass(frozen=True, slots=True)
class Present:
    """What there is at the moment: some alarms, all entries with their secrets in clear.

    `digests` are those of the entries by name; `unreadable` are the targets whose secrets cannot
    be had, with the reason. `marked` is what an earlier apply brought: (`alarm` or `entry`, id).
    """

    alarms: Sequence[Alarm]
    entries: Mapping[str, Entry]
    digests: Mapping[str, str]
    unreadable: Mapping[str, str]
    marked: AbstractSet[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written. Alarms to update and to delete have the revision at which they were
    read. `marks` are all that the files of the set `owner` brought."""

    created: Sequence[Alarm]
    updated: Sequence[Alarm]
    deleted: Sequence[Alarm]
    entries: Sequence[EntryChange]
    owner: str
    marks: Collection[tuple[str, str]]


class Applying(Protocol):
    """Reading and writing alarms and entries as a whole."""

    def present(self, ids: Collection[str], names: Collection[str], owner: str | None) -> Present:
        """What there is now: the alarms with these ids or names, and those that `owner` brought;
        with None for `owner` every alarm."""

    def apply(self, wanted: Wanted, by: Caller = LOCAL) -> None:
        """Write it, all or nothing.

        Raises `Conflict` where anything was changed meanwhile, `NotFound` where it is gone, and
        what `RoutingEntries.change_entries` raises.
        """
