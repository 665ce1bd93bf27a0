"""Targets, groups, filters and matchers at the desk: whose names they are (notifications 12, 14).

Who is held to names deals with those alone; who is held to projects and to no names may look at
none. What is set up leads no further than its maker reaches.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pipeline import entries
from pipeline.access import Caller, Permission
from pipeline.desk.base import Document, Parts
from pipeline.dispatch.edits import document
from pipeline.errors import NotFound
from pipeline.store.routing import StoredEntry

OF_THE_MACHINE = ("log", "test", "exec", "file")
"""Types and schemes that reach into the machine on which a notifier runs (alarms 8): what leads
there is set up by admins alone."""

_REFERENCES = ("target", "filter", "fallback")


class LocalEntries:
    """`desk.base.Entries`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def listed(self, kind: str) -> list[Document]:
        """All of a kind that the caller may look at, by name."""
        self._caller.require(Permission.AUDIT)
        listed = entries.listed(self._parts.store, kind)
        return [entry_document(each) for each in listed if self._caller.reaches(each.entry.name)]

    def found(self, kind: str, name: str) -> Document:
        """The one of this name."""
        self._may_look(kind, name)
        return entry_document(entries.found(self._parts.store, kind, name))

    def create(self, kind: str, document: Mapping[str, Any]) -> Document:
        """Make one."""
        self._caller.require_name(Permission.MODIFY, str(document.get("name", "")))
        self._may_set_up(kind, document)
        return entry_document(entries.created(self._parts.store, kind, document, self._caller))

    def update(
        self,
        kind: str,
        name: str,
        changes: Mapping[str, Any],
        unset: Collection[str] = (),
        digest: str | None = None,
    ) -> Document:
        """Change what is given, unset what is named."""
        self._caller.require(Permission.MODIFY)
        self._may_look(kind, name)
        store = self._parts.store
        present = document(entries.found(store, kind, name).entry)
        self._may_set_up(kind, {"type": present.get("type")})
        self._may_set_up(kind, changes)
        return entry_document(
            entries.updated(store, kind, name, changes, unset, digest, self._caller)
        )

    def delete(self, kind: str, name: str, digest: str | None = None) -> None:
        """Take one away."""
        self._caller.require(Permission.MODIFY)
        self._may_look(kind, name)
        entries.deleted(self._parts.store, kind, name, digest, self._caller)

    def _may_look(self, kind: str, name: str) -> None:
        self._caller.require(Permission.AUDIT)
        if not self._caller.reaches(name):
            raise NotFound(f"{kind.capitalize()} {name} not found.")

    def _may_set_up(self, kind: str, document: Mapping[str, Any]) -> None:
        """Raise `Forbidden` for what would lead further than the caller reaches: to names that are
        not theirs, into the machine, or, by a matcher, to the alarms of every project."""
        if kind == "matcher":
            self._caller.require_all(Permission.MODIFY)
        if kind == "target" and document.get("type") in OF_THE_MACHINE:
            self._caller.require_admin(f"a target of type {document['type']}")
        for reference in _REFERENCES:
            given = document.get(reference) or ()
            # What is no list of names is for the schema to refuse.
            for name in given if isinstance(given, (list, tuple)) else [given]:
                self._caller.require_name(Permission.USE, str(name))


def entry_document(stored: StoredEntry) -> Document:
    """An entry as the desk tells of it."""
    return {
        **document(stored.entry),
        "disable": stored.entry.disable,
        "origin": str(stored.entry.origin),
        "digest": stored.digest,
    }
