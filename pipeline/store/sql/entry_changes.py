"""What changed of targets, groups, filters and matchers, for the history.

Properties are compared as people see them, secrets as `***`; which secrets changed is found out
by opening them. Where they cannot be opened, all that were given count as changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.dispatch import Entry, TargetEntry
from pipeline.dispatch.edits import document
from pipeline.dispatch.references import word
from pipeline.errors import InvalidValue
from pipeline.store.access import Action, Change
from pipeline.store.documents import from_json
from pipeline.store.routing import Sealer
from pipeline.store.sql.changes import difference


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as it is kept: its secrets `***` in it, and sealed beside it. Of the built-in ones
    that nobody changed the revision is 0."""

    entry: Entry
    sealed: str = ""
    revision: int = 0


def entry_changes(
    before: Mapping[str, Kept], after: Mapping[str, Kept], sealer: Sealer
) -> list[Change]:
    """A change for each entry that is another than it was, by name; none for one that was set to
    what it was."""
    names = sorted(before.keys() | after.keys())
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    found = [_change(name, old, new, sealer) for name, old, new in pairs if old != new]
    return [change for change in found if change.changed or change.action is not Action.UPDATE]


def _change(name: str, old: Kept | None, new: Kept | None, sealer: Sealer) -> Change:
    kept = new or old
    assert kept is not None
    changed = difference(_document(old), _document(new))
    for secret in _changed_secrets(old, new, sealer):
        changed.setdefault(secret, (_shown(old, secret), _shown(new, secret)))
    changed.pop("name", None)
    action = Action.CREATE if old is None else Action.DELETE if new is None else Action.UPDATE
    return Change(word(kept.entry), name, action, changed)


def _document(kept: Kept | None) -> dict[str, Any] | None:
    return document(kept.entry) if kept else None


def _changed_secrets(old: Kept | None, new: Kept | None, sealer: Sealer) -> list[str]:
    """By the names that documents have for them."""
    if not (old and new and new.sealed) or old.sealed == new.sealed:
        return []
    was, is_ = _opened(old, sealer), _opened(new, sealer)
    names = [name for name, value in is_.items() if was.get(name) != value]
    return [name.replace("_", "-") for name in names]


def _opened(kept: Kept, sealer: Sealer) -> Mapping[str, Any]:
    if not kept.sealed:
        return {}
    try:
        opened: Mapping[str, Any] = from_json(sealer.open(kept.sealed))
    except InvalidValue:
        # The key is another by now. What was kept is nothing to compare with.
        return {}
    return opened


def _shown(kept: Kept | None, name: str) -> Any:
    if kept is None or not isinstance(kept.entry, TargetEntry):
        return None
    return document(kept.entry).get(name)
