"""LiveRouting: the routing in force in this process.

Memory only: no I/O, no clock. `pipeline.feed` brings the entries, from a thread of its own; the
worker plans by `routing`, and the notifier asks for a target's entry with each delivery. Every
attribute is replaced as a whole, so nobody has to wait for anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo

from pipeline.dispatch.entries import Entry, TargetEntry
from pipeline.dispatch.routing import Routing
from pipeline.errors import InvalidValue, NotFound
from pipeline.kinds import BUILTIN, Kinds

_KINDS = Kinds(BUILTIN)


class LiveRouting:
    """The entries in force. Every method may be called from any thread."""

    def __init__(self, kinds: Kinds = _KINDS, zone: tzinfo = UTC) -> None:
        self._kinds, self._zone = kinds, zone
        self._revision = -1
        self._unreadable: Mapping[str, str] = {}
        self.routing = Routing((), kinds, zone)

    @property
    def revision(self) -> int:
        """The revision of the entries in force; -1 before the first."""
        return self._revision

    @property
    def broken(self) -> Mapping[str, str]:
        """The entries that cannot be used, with the reason."""
        return {**self.routing.broken, **self._unreadable}

    def load(self, revision: int, entries: Sequence[Entry], unreadable: Mapping[str, str]) -> None:
        """Go by these entries from now on. `unreadable` are targets whose secrets cannot be had,
        with the reason."""
        kinds = self._kinds
        self._unreadable = dict(unreadable)
        self.routing = Routing(entries, kinds, self._zone)
        self._revision = revision
        if kinds is not self._kinds:  # others came meanwhile
            self._revision = -1

    def use(self, kinds: Kinds) -> None:
        """Go by these kinds from now on; the entries are to be loaded once more."""
        self._kinds = kinds
        self._revision = -1

    def target(self, name: str) -> TargetEntry:
        """The target of this name as it now is, secrets in clear.

        Raises `NotFound`; `InvalidValue` where its secrets cannot be had.
        """
        entry = self.routing.targets.get(name)
        if entry is None:
            raise NotFound(f"Target {name} not found")
        if reason := self._unreadable.get(name):
            raise InvalidValue(reason)
        return entry
