"""What people do to targets, groups, filters and matchers: make, find, change, delete.

The functions behind the commands, the API and files that are applied: documents in, stored entries
out. Documents have the property names of Proxmox (`min-severity`); see `pipeline.dispatch.edits`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pipeline.access import LOCAL, Caller
from pipeline.alarms.alarm import Alarm
from pipeline.dispatch import edits
from pipeline.dispatch.action import named
from pipeline.dispatch.references import word
from pipeline.errors import NotFound
from pipeline.registry import did_you_mean
from pipeline.store.routing import Create, Delete, RoutingEntries, StoredEntry, Update
from pipeline.targets import checked_options


def listed(store: RoutingEntries, kind: str) -> list[StoredEntry]:
    """All entries of a kind (`target`, `group`, `filter`, `matcher`), by name."""
    return [each for each in store.entries() if word(each.entry) == kind]


def found(store: RoutingEntries, kind: str, name: str) -> StoredEntry:
    """The entry of this kind and name. Raises `NotFound`."""
    known = {each.entry.name: each for each in listed(store, kind)}
    if name not in known:
        raise NotFound(f"{kind.capitalize()} {name} not found.{did_you_mean(name, known)}")
    return known[name]


def created(
    store: RoutingEntries, kind: str, document: Mapping[str, Any], by: Caller = LOCAL
) -> StoredEntry:
    """A new entry, stored.

    Raises `InvalidValue` with all problems, `Conflict` for a name that is taken.
    """
    entry = edits.new(kind, document, checked_options)
    store.change_entries([Create(entry)], by)
    return found(store, kind, entry.name)


def updated(
    store: RoutingEntries,
    kind: str,
    name: str,
    changes: Mapping[str, Any],
    unset: Collection[str] = (),
    digest: str | None = None,
    by: Caller = LOCAL,
) -> StoredEntry:
    """The entry with these properties changed, and those unset; secrets not named stay.

    Raises `NotFound`, `InvalidValue`, and `Conflict` where it was changed since it had `digest`,
    or since it was read here.
    """
    present = found(store, kind, name)
    entry = edits.changed(present.entry, changes, unset, checked_options)
    store.change_entries([Update(entry, digest or present.digest)], by)
    return found(store, kind, name)


def deleted(
    store: RoutingEntries,
    kind: str,
    name: str,
    digest: str | None = None,
    by: Caller = LOCAL,
) -> None:
    """Take an entry away; a modified built-in becomes what it was.

    Raises `NotFound`, and `Conflict` ("referenced by …") while it is still used.
    """
    found(store, kind, name)
    store.change_entries([Delete(name, digest)], by)


def unknown_names(store: RoutingEntries, alarm: Alarm) -> list[str]:
    """The actions of an alarm that lead to a target or group which does not exist, or not yet."""
    actions = dict.fromkeys(
        (*alarm.ok_actions, *alarm.alarm_actions, *alarm.insufficient_data_actions)
    )
    wanted = {
        action: (kind, name)
        for action in actions
        for kind in ("target", "group")
        if (name := named(action, kind))
    }
    if not wanted:
        return []
    known = {(word(each.entry), each.entry.name) for each in store.entries()}
    return [action for action, which in wanted.items() if which not in known]
