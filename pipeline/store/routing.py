"""What people set up by name, as the store keeps it: targets, groups, filters and matchers.

`pipeline.store.sql.routing` carries this out. Every change takes the next number of the routing's
own revision, by which workers and notifiers follow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from pipeline.access import LOCAL, Caller
from pipeline.dispatch import Entry


class Sealer(Protocol):
    """What keeps secrets from whoever reads the database."""

    def seal(self, text: str, sealed: Collection[str] = ()) -> str:
        """The text as it may be written down; `sealed` are those that are kept already.

        Raises `InvalidValue` where there is no key.
        """

    def open(self, sealed: str) -> str:
        """The text again. Raises `InvalidValue` where the key is missing or is another."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as people see it, its secrets `***`. `digest` changes with every change of it."""

    entry: Entry
    digest: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make an entry of a name that none has yet."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Update:
    """Put an entry in the place of the one of its name. A secret that is `***` stays.

    With a `digest` only if the present one still has it.
    """

    entry: Entry
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Take an entry away; a modified built-in becomes what it was."""

    name: str
    digest: str | None = None


EntryChange: TypeAlias = Create | Update | Delete


class RoutingEntries(Protocol):
    """Managing entries. The built-in ones are always there."""

    def entries(self) -> list[StoredEntry]:
        """All entries, by name."""

    def entry(self, name: str) -> StoredEntry:
        """The entry of this name. Raises `NotFound`."""

    def change_entries(self, changes: Sequence[EntryChange], by: Caller = LOCAL) -> None:
        """Carry out the changes, all of them or none; the history says by whom.

        Raises `NotFound`, `InvalidValue` for a reference that leads to nothing or a secret
        without a value, and `Conflict` for a name that is taken, an entry that was changed
        meanwhile, and one that is to go and is still used.
        """


@dataclass(frozen=True, slots=True)
class RoutingSnapshot:
    """All entries as of `revision`. `unreadable` are targets whose secrets cannot be had, with
    the reason."""

    revision: int
    entries: Sequence[Entry]
    unreadable: Mapping[str, str]


class RoutingSource(Protocol):
    """Where workers and notifiers read the entries from."""

    def routing_after(self, revision: int, *, with_secrets: bool) -> RoutingSnapshot | None:
        """All entries, if the present revision is another than this one; secrets in clear where
        they are asked for."""
