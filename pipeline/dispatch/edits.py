"""Edits: documents → entries, and entries → documents (notifications 12).

A document has the property names of Proxmox: `min-severity`, `match-field`; underscores are as
good. Called by the command line, by whoever takes in files, and by the API: what comes of an edit
goes to the store, which checks names and references. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from marshmallow import ValidationError

from pipeline.dispatch.entries import Entry, FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.dispatch.entry_schema import (
    OF_EVERY_TARGET,
    FilterSchema,
    GroupSchema,
    MatcherSchema,
    OptionsCheck,
    TargetSchema,
)
from pipeline.dispatch.references import word
from pipeline.errors import InvalidValue
from pipeline.registry import one_of

KINDS: Final = ("target", "group", "filter", "matcher")
"""The words for what can be set up by name."""

_ALWAYS_THERE: Final = ("name", "type", "kind")


def new(kind: str, document: Mapping[str, Any], check: OptionsCheck) -> Entry:
    """The entry that a document describes. Raises `InvalidValue` with all its problems."""
    document = _hyphened(document)
    name = document.get("name")
    try:
        return _load(kind, document, check)
    except ValidationError as error:
        who = f"{kind} {name}" if isinstance(name, str) else kind
        messages = error.messages_dict
        raise InvalidValue(f"{who}: {_said(messages)}", None, messages) from error


def changed(
    entry: Entry, changes: Mapping[str, Any], unset: Collection[str], check: OptionsCheck
) -> Entry:
    """The entry with these properties changed, and those unset back to what they are by default.

    Secrets that are not among the changes stay as they are kept. Raises `InvalidValue`.
    """
    before = document(entry)
    gone = {_hyphens(name) for name in unset}
    for name in sorted(gone):
        if name in _ALWAYS_THERE:
            raise InvalidValue(f"{name} cannot be unset: every {word(entry)} has one.", name)
        if name not in before:
            known = [key for key in before if key not in _ALWAYS_THERE]
            hint = one_of(name, known) if known else "Nothing is set."
            raise InvalidValue(f"{name} is not set on {entry.name}. {hint}", name)
    kept = {key: value for key, value in before.items() if key not in gone}
    changes = _hyphened(changes)
    if isinstance(entry, TargetEntry) and gone.union(changes) <= OF_EVERY_TARGET:
        check = _unchanged(entry)
    return new(word(entry), {**kept, **changes}, check)


def document(entry: Entry) -> dict[str, Any]:
    """The entry as people write it, without what is as it is by default; secrets as they are
    in it."""
    found: dict[str, Any]
    match entry:
        case TargetEntry():
            found = {
                "name": entry.name,
                "type": entry.type,
                **{_hyphens(key): value for key, value in entry.options.items()},
                **{_hyphens(key): value for key, value in entry.secrets.items()},
                "filter": entry.filter,
                "fallback": entry.fallback,
                "guards": dict(entry.guards),
            }
        case GroupEntry():
            found = {"name": entry.name, "target": list(entry.targets), "filter": entry.filter}
        case FilterEntry():
            found = {"name": entry.name, "min-severity": entry.min_severity}
        case MatcherEntry():
            found = _matcher(entry)
    found |= {"comment": entry.comment, "disable": entry.disable}
    own = (*entry.options, *entry.secrets) if isinstance(entry, TargetEntry) else ()
    said = {*map(_hyphens, own)}
    return {key: v for key, v in found.items() if key in said or v not in ("", [], {}, False)}


def _unchanged(entry: TargetEntry) -> OptionsCheck:
    """Leaves a target's options as they are, also where its type is not installed any more."""

    def check(type: str, options: Mapping[str, Any]) -> tuple[Any, Any]:
        return entry.options, entry.secrets

    return check


def _matcher(entry: MatcherEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "match-field": list(entry.match_field),
        "match-severity": list(entry.match_severity),
        "match-calendar": list(entry.match_calendar),
        "mode": "" if entry.mode == "all" else entry.mode,
        "invert-match": entry.invert_match,
        "target": list(entry.targets),
    }


def _load(kind: str, document: Mapping[str, Any], check: OptionsCheck) -> Entry:
    loaded: Entry
    match kind:
        case "target":
            loaded = TargetSchema(check).load_all(document)
        case "group":
            loaded = GroupSchema().load(document)
        case "filter":
            loaded = FilterSchema().load(document)
        case "matcher":
            loaded = MatcherSchema().load(document)
        case _:
            raise InvalidValue(f"unknown kind of entry {kind!r}. {one_of(kind, KINDS)}", "kind")
    return loaded


def _hyphened(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with hyphens in the names of all properties; underscores are as good."""
    return {_hyphens(str(key)): value for key, value in document.items()}


def _hyphens(name: str) -> str:
    return name.replace("_", "-")


def _said(messages: Mapping[str, Any]) -> str:
    return " ".join(
        text if name == "_schema" else f"{name}: {text}"
        for name, found in messages.items()
        for text in _texts(found)
    )


def _texts(found: Any) -> list[str]:
    if isinstance(found, Mapping):
        return [text for inner in found.values() for text in _texts(inner)]
    if isinstance(found, (list, tuple)):
        return [text for inner in found for text in _texts(inner)]
    return [str(found)]
