"""Planning: items, and what there is → what is to be made, changed and deleted. Pure.

An alarm is found by its `alarm_id`, else by its name and project; everything else by its name. All
problems of all items are found at once, those of references among them, which are looked at as
everything will be. Pruning deletes only what an earlier apply of the same set brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.alarms.alarm import Alarm, State
from pipeline.alarms.references import Directory, resolve
from pipeline.as_code.diff import Change
from pipeline.as_code.forms import alarm_form, entry_form
from pipeline.as_code.items import Item
from pipeline.as_code.wanted import Making, wanted_alarm, wanted_entry
from pipeline.dispatch import Entry, Origin, TargetEntry, named
from pipeline.dispatch.references import problems_of, word
from pipeline.errors import ConfigError, InvalidValue, Problem
from pipeline.registry import did_you_mean
from pipeline.store.applying import ALARM, ENTRY, Present, Wanted
from pipeline.store.routing import Create, Delete, EntryChange, Update


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply does: `wanted` is for the store, `changes` are for people. `unchanged` counts
    what is as it is to be."""

    wanted: Wanted
    changes: Sequence[Change]
    unchanged: int


def asked_for(items: Iterable[Item]) -> tuple[set[str], set[str]]:
    """The ids and the names of the alarms that planning has to know of."""
    alarms = [item.data for item in items if item.kind == "alarm"]
    ids = {data["alarm_id"] for data in alarms if isinstance(data.get("alarm_id"), str)}
    names = {data["name"] for data in alarms if isinstance(data.get("name"), str)}
    # What a composite rule refers to may be either.
    referred = {text for data in alarms for text in _references(data.get("composite_rule"))}
    return ids | referred, names | referred


def plan(
    items: Sequence[Item],
    present: Present,
    making: Making,
    *,
    owner: str,
    prune: bool = False,
    problems: Sequence[Problem] = (),
) -> Plan:
    """What is to be done so that everything is as the items say.

    Raises `ConfigError` with the problems of all items, and `problems`, those of items that could
    not be read.
    """
    work = _Work(present, making, problems=list(problems))
    for item in items:
        work.take(item)
    if not problems:  # else a reference may lead to what could not be read
        work.check_references()
    if work.problems:
        raise ConfigError(work.problems)
    if prune:
        work.prune()
    return work.plan(owner)


@dataclass(slots=True)
class _Work:
    """A plan that is being made."""

    present: Present
    making: Making
    alarms: dict[str, tuple[Item, Alarm, Alarm | None]] = field(default_factory=dict)
    entries: dict[str, tuple[Item, Entry]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    named: dict[tuple[str, str], bool] = field(default_factory=dict)
    """The names and projects of alarms so far, and whether all of each had their ids."""
    by_id: dict[str, Alarm] = field(default_factory=dict)
    by_name: dict[tuple[str, Any], list[Alarm]] = field(default_factory=dict)
    pruned_alarms: list[Alarm] = field(default_factory=list)
    pruned_entries: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for alarm in self.present.alarms:
            self.by_id[alarm.alarm_id] = alarm
            self.by_name.setdefault((alarm.name, alarm.project_id), []).append(alarm)

    def take(self, item: Item) -> None:
        try:
            if item.kind == "alarm":
                self._take_alarm(item)
            else:
                self._take_entry(item)
        except InvalidValue as error:
            messages = error.messages or {error.field or "_schema": [str(error)]}
            self.problems += item.problems(messages)

    def _take_alarm(self, item: Item) -> None:
        found = self._alarm_of(item)
        alarm = wanted_alarm(item, found, self.making)
        if alarm.alarm_id in self.alarms or self._named_twice(alarm, item):
            raise InvalidValue(
                f"the files have alarm {alarm.name!r} more than once. Keep one, or give each its"
                " alarm_id.",
                "name",
            )
        self.alarms[alarm.alarm_id] = (item, alarm, found)

    def _named_twice(self, alarm: Alarm, item: Item) -> bool:
        """Whether another one of the same name and project goes without an id, or this one."""
        key = (alarm.name, alarm.project_id)
        with_ids = bool(item.data.get("alarm_id")) and self.named.get(key, True)
        twice = key in self.named and not with_ids
        self.named[key] = with_ids
        return twice

    def _alarm_of(self, item: Item) -> Alarm | None:
        """The present alarm that an item is about. Raises `InvalidValue` if it may be several."""
        if alarm_id := item.data.get("alarm_id"):
            return self.by_id.get(alarm_id) if isinstance(alarm_id, str) else None
        project = item.data.get("project_id")
        found = self.by_name.get((item.name, project if isinstance(project, str) else ""), [])
        if len(found) > 1:
            ids = ", ".join(sorted(each.alarm_id for each in found)[:10])
            raise InvalidValue(
                f"{len(found)} alarms are named so. Say by alarm_id which: {ids}.", "name"
            )
        return found[0] if found else None

    def _take_entry(self, item: Item) -> None:
        before = self.present.entries.get(item.name)
        readable = item.name not in self.present.unreadable
        if before is not None and word(before) != item.kind:
            raise InvalidValue(
                f"there is already a {word(before)} of this name. Take another name, or delete"
                f" that {word(before)} first.",
                "name",
            )
        entry = wanted_entry(item, before, readable, self.making)
        if entry.name in self.entries:
            other = self.entries[entry.name][0].kind
            raise InvalidValue(
                f"the files have a {other} of this name already. Names are unique.", "name"
            )
        self.entries[entry.name] = (item, entry)

    def check_references(self) -> None:
        """Note every reference that will lead to nothing."""
        after = self._after()
        self._resolve()
        for item, entry in self.entries.values():
            for problem in problems_of(entry, after):
                self.problems.append(item.problem((problem.field or "name",), str(problem)))
        for item, alarm, _ in self.alarms.values():
            for state in State:
                self._check_actions(item, alarm, state, after)

    def _resolve(self) -> None:
        """Put ids in the place of names in composite rules."""
        known = {**self.by_id, **{id: alarm for id, (_, alarm, _) in self.alarms.items()}}
        directory = Directory(known.values())
        for alarm_id, (item, alarm, before) in self.alarms.items():
            try:
                self.alarms[alarm_id] = item, resolve(alarm, directory), before
            except InvalidValue as error:
                self.problems.append(item.problem(("composite_rule",), str(error)))

    def _check_actions(
        self, item: Item, alarm: Alarm, state: State, after: Mapping[str, Entry]
    ) -> None:
        key = "insufficient_data_actions" if " " in state else f"{state}_actions"
        for action in alarm.actions(state):
            for kind in ("target", "group"):
                name = named(action, kind)
                if name and (name not in after or word(after[name]) != kind):
                    known = [each.name for each in after.values() if word(each) == kind]
                    message = f"{action}: no {kind} is named so.{did_you_mean(name, known)}"
                    self.problems.append(item.problem((key,), message))

    def _after(self) -> dict[str, Entry]:
        return {**self.present.entries, **{n: entry for n, (_, entry) in self.entries.items()}}

    def prune(self) -> None:
        """Delete what an earlier apply brought and the items do not have."""
        marked = self.present.marked
        self.pruned_alarms = [
            alarm
            for alarm in self.present.alarms
            if (ALARM, alarm.alarm_id) in marked and alarm.alarm_id not in self.alarms
        ]
        self.pruned_entries = [
            name
            for name, entry in self.present.entries.items()
            if (ENTRY, name) in marked
            and name not in self.entries
            and entry.origin is not Origin.BUILTIN
        ]

    def plan(self, owner: str) -> Plan:
        created = [alarm for _, alarm, before in self.alarms.values() if before is None]
        updated = [
            alarm for _, alarm, before in self.alarms.values() if before and _differ(before, alarm)
        ]
        entries = list(self._entry_changes())
        wanted = Wanted(created, updated, self.pruned_alarms, entries, owner, self._marks())
        changes = [*self._alarm_changes(created, updated), *map(self._shown, entries)]
        done = len(self.alarms) + len(self.entries)
        touched = sum(change.word != "delete" for change in changes)
        return Plan(wanted, changes, done - touched)

    def _marks(self) -> list[tuple[str, str]]:
        """What came of the items and is not known to."""
        all_ = [(ALARM, id) for id in self.alarms] + [(ENTRY, name) for name in self.entries]
        return [mark for mark in all_ if mark not in self.present.marked]

    def _entry_changes(self) -> Iterator[EntryChange]:
        for name, (_, entry) in self.entries.items():
            before = self.present.entries.get(name)
            if before is None:
                yield Create(entry)
            elif not self._same(before, entry):
                yield Update(entry, self.present.digests[name])
        for name in self.pruned_entries:
            yield Delete(name, self.present.digests[name])

    def _same(self, before: Entry, after: Entry) -> bool:
        if isinstance(before, TargetEntry) and before.name in self.present.unreadable:
            before = replace(before, secrets=dict.fromkeys(before.secrets, "***"))
        return replace(before, origin=after.origin) == after

    def _alarm_changes(
        self, created: Sequence[Alarm], updated: Sequence[Alarm]
    ) -> Iterator[Change]:
        for alarm in created:
            yield Change("alarm", alarm.name, None, _alarm_forms(alarm))
        for alarm in updated:
            was = _alarm_forms(self.by_id[alarm.alarm_id])
            yield Change("alarm", alarm.name, was, _alarm_forms(alarm))
        for alarm in self.pruned_alarms:
            yield Change("alarm", alarm.name, _alarm_forms(alarm), None)

    def _shown(self, change: EntryChange) -> Change:
        match change:
            case Create(entry):
                return Change(word(entry), entry.name, None, _entry_forms(entry))
            case Update(entry):
                before = self.present.entries[entry.name]
                return Change(word(entry), entry.name, _entry_forms(before), _entry_forms(entry))
            case Delete(name):
                before = self.present.entries[name]
                return Change(word(before), name, _entry_forms(before), None)


def _references(rule: Any) -> Iterator[str]:
    """The texts of references in a composite rule that may be anything."""
    if isinstance(rule, Mapping):
        if isinstance(alarm := rule.get("alarm"), str):
            yield alarm
        for part in (*_parts(rule.get("and")), *_parts(rule.get("or"))):
            yield from _references(part)


def _parts(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _differ(before: Alarm, after: Alarm) -> bool:
    return alarm_form(before, mask=False) != alarm_form(after, mask=False)


def _alarm_forms(alarm: Alarm) -> tuple[dict[str, Any], dict[str, Any]]:
    return alarm_form(alarm, mask=False), alarm_form(alarm, mask=True)


def _entry_forms(entry: Entry) -> tuple[dict[str, Any], dict[str, Any]]:
    return entry_form(entry, mask=False), entry_form(entry, mask=True)
