"""References: which entry names which (notifications 12). Pure.

    target → filter, fallback        group → targets, filter        matcher → targets and groups

Checked by the store with every change, over all entries as they then are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.dispatch.entries import Entry, FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.errors import InvalidValue
from pipeline.registry import did_you_mean

_WORDS: Mapping[type, str] = {
    TargetEntry: "target",
    GroupEntry: "group",
    FilterEntry: "filter",
    MatcherEntry: "matcher",
}


class Reference(NamedTuple):
    """One entry's naming of another: by which property, and what that may be."""

    by: Entry
    property: str
    name: str
    kinds: tuple[type, ...]


def word(entry: Entry | type) -> str:
    """What sort of entry it is: `target`, `group`, `filter` or `matcher`."""
    return _WORDS[entry if isinstance(entry, type) else type(entry)]


def references(entry: Entry) -> Iterator[Reference]:
    """All that an entry names."""
    match entry:
        case TargetEntry(filter=filter, fallback=fallback):
            if fallback:
                yield Reference(entry, "fallback", fallback, (TargetEntry,))
        case GroupEntry(targets=targets, filter=filter):
            for name in targets:
                yield Reference(entry, "target", name, (TargetEntry,))
        case MatcherEntry(targets=targets):
            filter = ""
            for name in targets:
                yield Reference(entry, "target", name, (TargetEntry, GroupEntry))
        case FilterEntry():
            filter = ""
    if filter:
        yield Reference(entry, "filter", filter, (FilterEntry,))


def referenced_by(name: str, entries: Mapping[str, Entry]) -> list[str]:
    """Who names this entry: `matcher nights`, sorted."""
    return sorted(
        {
            f"{word(entry)} {entry.name}"
            for entry in entries.values()
            if entry.name != name and any(ref.name == name for ref in references(entry))
        }
    )


def check(entries: Mapping[str, Entry]) -> None:
    """Raise `InvalidValue` with all references that lead to nothing or to the wrong sort of entry,
    else for the first that leads by way of fallbacks back to where it began."""
    problems = [each for entry in entries.values() for each in problems_of(entry, entries)]
    if problems:
        properties = {problem.field for problem in problems}
        field = properties.pop() if len(properties) == 1 else None
        raise InvalidValue(" ".join(map(str, problems)), field)
    for entry in entries.values():
        if isinstance(entry, TargetEntry):
            _check_fallbacks(entry, entries)


def problems_of(entry: Entry, entries: Mapping[str, Entry]) -> Iterator[InvalidValue]:
    """What is wrong with each reference of an entry; `field` is its property."""
    for reference in references(entry):
        if problem := _problem(reference, entries):
            yield problem


def _problem(reference: Reference, entries: Mapping[str, Entry]) -> InvalidValue | None:
    found = entries.get(reference.name)
    if isinstance(found, reference.kinds):
        return None
    wanted = " or ".join(map(word, reference.kinds))
    by = f"{word(reference.by)} {reference.by.name}: {reference.property} {reference.name!r}"
    if found is not None:
        message = f"{by} is a {word(found)}; a {wanted} is needed."
        return InvalidValue(message, reference.property)
    known = [entry.name for entry in entries.values() if isinstance(entry, reference.kinds)]
    hint = did_you_mean(reference.name, known)
    message = f"{by} does not exist. Make that {wanted} first.{hint}"
    return InvalidValue(message, reference.property)


def _check_fallbacks(entry: TargetEntry, entries: Mapping[str, Entry]) -> None:
    seen, at = [entry.name], entry
    while at.fallback:
        seen.append(at.fallback)
        if at.fallback == entry.name:
            way = " → ".join(seen)
            raise InvalidValue(f"target {entry.name}: its fallbacks lead back: {way}", "fallback")
        following = entries[at.fallback]
        assert isinstance(following, TargetEntry)
        if following.name in seen[:-1]:
            return  # a circle that does not pass here: told of where it does
        at = following
