"""Routing entries: targets, groups, filters and matchers, and how processes follow them.

There are few of them, so each change looks at all: it takes the next revision, which makes changes
wait for each other, and then checks what the entries are together. A built-in entry is a row only
once it was changed. Secrets stand apart from all else, sealed as one text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select

from pipeline.dispatch import Entry, FilterEntry, GroupEntry, MatcherEntry, Origin, TargetEntry
from pipeline.dispatch.action import named
from pipeline.dispatch.builtins import BUILTINS
from pipeline.dispatch.references import check, referenced_by, word
from pipeline.dispatch.secret_values import has_kept, merged, shown
from pipeline.errors import Conflict, InvalidValue, NotFound
from pipeline.registry import did_you_mean
from pipeline.store import schema
from pipeline.store.documents import from_json, to_json
from pipeline.store.routing import (
    Create,
    Delete,
    EntryChange,
    RoutingSnapshot,
    Sealer,
    StoredEntry,
    Update,
)
from pipeline.store.sql.marks import ENTRY, forget_applied
from pipeline.store.sql.part import Part
from pipeline.store.sql.revisions import Revision, is_present, next_revision, present_revision

_entry = schema.routing_entry
_TYPES: Mapping[str, type] = {
    word(type): type for type in (TargetEntry, GroupEntry, FilterEntry, MatcherEntry)
}
_APART = frozenset({"name", "secrets", "origin"})
_NAMED_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class _Kept:
    """An entry as it is kept: its secrets `***` in it, and sealed beside it. Of the built-in ones
    that nobody changed the revision is 0."""

    entry: Entry
    sealed: str = ""
    revision: int = 0

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.entry.name}/{self.revision}".encode()).hexdigest()[:16]


class SqlRouting(Part):
    """`store.routing.RoutingEntries` and `store.routing.RoutingSource`."""

    def entries(self) -> list[StoredEntry]:
        """All entries, by name."""
        with self._database.read() as connection:
            kept = _all(connection)
        return [StoredEntry(each.entry, each.digest) for _, each in sorted(kept.items())]

    def entry(self, name: str) -> StoredEntry:
        """The entry of this name. Raises `NotFound`."""
        with self._database.read() as connection:
            found = _found(_all(connection), name)
        return StoredEntry(found.entry, found.digest)

    def change_entries(self, changes: Sequence[EntryChange]) -> None:
        """Carry out the changes, all of them or none; see `store.routing.RoutingEntries`."""
        if not changes:
            return
        with self._database.write() as connection:
            self._change(connection, changes)

    def _change(self, connection: Connection, changes: Sequence[EntryChange]) -> None:
        revision = next_revision(connection, Revision.ROUTING)
        before = _all(connection)
        after = dict(before)
        for change in changes:
            self._apply(change, after, revision)
        _check(connection, changes, {name: kept.entry for name, kept in after.items()})
        _write(connection, before, after)
        gone = [change.name for change in changes if isinstance(change, Delete)]
        forget_applied(connection, ENTRY, gone)

    def routing_after(self, revision: int, *, with_secrets: bool) -> RoutingSnapshot | None:
        """All entries, if the present revision is another than this one; secrets in clear where
        they are asked for."""
        if is_present(self._database, Revision.ROUTING, revision):
            return None
        with self._database.read() as connection:
            present = present_revision(connection, Revision.ROUTING)
            if not with_secrets:
                return RoutingSnapshot(present, entries_without_secrets(connection), {})
            entries, _, unreadable = self._in_clear(connection)
        return RoutingSnapshot(present, list(entries.values()), unreadable)

    def _in_clear(
        self, connection: Connection
    ) -> tuple[dict[str, Entry], dict[str, str], dict[str, str]]:
        """All entries with their secrets in clear, their digests, and of which they cannot be
        had, with the reason; each by name."""
        kept = _all(connection)
        entries: dict[str, Entry] = {}
        unreadable: dict[str, str] = {}
        for name, each in sorted(kept.items()):
            try:
                entries[name] = _in_clear(each, self._sealer)
            except InvalidValue as error:
                entries[name] = each.entry
                unreadable[name] = f"target {name}: its secrets cannot be had: {error}"
        return entries, {name: each.digest for name, each in kept.items()}, unreadable

    def _apply(self, change: EntryChange, entries: dict[str, _Kept], revision: int) -> None:
        match change:
            case Create(entry):
                if taken := entries.get(entry.name):
                    kind = word(taken.entry)
                    raise Conflict(f"there is already a {kind} named {entry.name}", "name")
                entries[entry.name] = self._kept(entry, None, entries, revision)
            case Update(entry, digest):
                present = _found(entries, entry.name)
                _check_digest(present, digest)
                if type(entry) is not type(present.entry):
                    message = f"{entry.name} is a {word(present.entry)}, not a {word(entry)}"
                    raise Conflict(message, "name")
                entries[entry.name] = self._kept(entry, present, entries, revision)
            case Delete(name, digest):
                present = _found(entries, name)
                _check_digest(present, digest)
                del entries[name]
                if name in BUILTINS:
                    entries[name] = _reset(present)

    def _kept(
        self, entry: Entry, present: _Kept | None, entries: Mapping[str, _Kept], revision: int
    ) -> _Kept:
        origin = Origin.MODIFIED_BUILTIN if entry.name in BUILTINS else Origin.USER_CREATED
        entry = replace(entry, origin=origin)
        if not isinstance(entry, TargetEntry) or not entry.secrets:
            return _Kept(entry, "", revision)
        known = _opened(present, self._sealer, entry.secrets) if present else {}
        secrets = {
            name: merged(name, known.get(name), given) for name, given in entry.secrets.items()
        }
        others = [kept.sealed for kept in entries.values() if kept.sealed]
        sealed = self._sealer.seal(to_json(secrets), others)
        return _Kept(replace(entry, secrets=_shown(secrets)), sealed, revision)


def entries_without_secrets(connection: Connection) -> list[Entry]:
    """Every entry, the built-in ones among them; secrets are `***`."""
    return [each.entry for each in _all(connection).values()]


def _all(connection: Connection) -> dict[str, _Kept]:
    """Every entry by name, the built-in ones among them."""
    kept = {name: _Kept(entry) for name, entry in BUILTINS.items()}
    for row in connection.execute(select(_entry)):
        kept[row.name] = _Kept(_entry_from(row), row.secrets, row.revision)
    return kept


def _found(entries: Mapping[str, _Kept], name: str) -> _Kept:
    found = entries.get(name)
    if found is None:
        raise NotFound(f"nothing is named {name!r}.{did_you_mean(name, entries)}")
    return found


def _check_digest(present: _Kept, digest: str | None) -> None:
    if digest is not None and digest != present.digest:
        name = present.entry.name
        message = f"{word(present.entry)} {name} has been changed meanwhile. Look at it again."
        raise Conflict(message, "digest")


def _reset(present: _Kept) -> _Kept:
    """The built-in entry as it was before anybody changed it."""
    if present.revision == 0:
        name = present.entry.name
        raise Conflict(f"{name} is built in and cannot be deleted. Disable it instead.", "name")
    return _Kept(BUILTINS[present.entry.name])


# --- checks ----------------------------------------------------------------------------------


def _check(
    connection: Connection, changes: Sequence[EntryChange], entries: Mapping[str, Entry]
) -> None:
    """Raise for what is still used though it is gone, and for what leads to nothing."""
    for change in changes:
        if isinstance(change, Delete) and change.name not in entries:
            users = referenced_by(change.name, entries)
            users += _alarms_that_name(connection, change.name)
            if users:
                raise Conflict(f"{change.name} is referenced by {', '.join(users)}", "name")
    check(entries)


def _alarms_that_name(connection: Connection, name: str) -> list[str]:
    """The alarms with an action that leads to this target or group, some of them."""
    alarm = schema.alarm.c
    columns = (alarm.ok_actions, alarm.alarm_actions, alarm.insufficient_data_actions)
    wanted = or_(
        *(func.lower(column).contains(f':{name.lower()}"', autoescape=True) for column in columns)
    )
    rows = connection.execute(select(alarm.name, *columns).where(wanted).order_by(alarm.name))
    found: dict[str, None] = {}
    for row in rows:
        actions = [action for text in row[1:] for action in from_json(text)]
        if name in {named(action, kind) for action in actions for kind in ("target", "group")}:
            found[f"alarm {row.name!r}"] = None
    some = list(found)[:_NAMED_AT_MOST]
    return [*some, f"{len(found) - len(some)} more alarms"] if len(found) > len(some) else some


# --- rows and secrets ------------------------------------------------------------------------


def _write(
    connection: Connection, before: Mapping[str, _Kept], after: Mapping[str, _Kept]
) -> None:
    gone = [name for name in before if before[name] != after.get(name)]
    connection.execute(delete(_entry).where(_entry.c.name.in_(gone)))
    rows = [_row(kept) for name, kept in after.items() if kept != before.get(name)]
    if rows := [row for row in rows if row["revision"]]:
        connection.execute(insert(_entry), rows)


def _row(kept: _Kept) -> dict[str, Any]:
    entry = kept.entry
    document = {f.name: getattr(entry, f.name) for f in fields(entry) if f.name not in _APART}
    if isinstance(entry, TargetEntry):
        document["shown_secrets"] = entry.secrets
    return {
        "name": entry.name,
        "kind": word(entry),
        "document": to_json(document),
        "secrets": kept.sealed,
        "revision": kept.revision,
    }


def _entry_from(row: Any) -> Entry:
    document = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in from_json(row.document).items()
    }
    if "shown_secrets" in document:
        document["secrets"] = document.pop("shown_secrets")
    origin = Origin.MODIFIED_BUILTIN if row.name in BUILTINS else Origin.USER_CREATED
    make: Callable[..., Entry] = _TYPES[row.kind]
    return make(name=row.name, origin=origin, **document)


def _shown(secrets: Mapping[str, Any]) -> dict[str, Any]:
    return {name: shown(value) for name, value in secrets.items()}


def _in_clear(kept: _Kept, sealer: Sealer) -> Entry:
    if not kept.sealed or not isinstance(kept.entry, TargetEntry):
        return kept.entry
    return replace(kept.entry, secrets=from_json(sealer.open(kept.sealed)))


def _opened(present: _Kept, sealer: Sealer, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The secrets that are kept, where any of the new ones is one of them."""
    if not present.sealed or not has_kept(wanted):
        return {}
    opened: Mapping[str, Any] = from_json(sealer.open(present.sealed))
    return opened
