"""Everything as files at the desk: applied and exported, item by item as the caller may.

Who is held to names or projects applies and exports theirs alone; secrets go to nobody who is held
to anything. What is not the caller's to see is not compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline import as_code, yaml_source
from pipeline.access import Caller, Permission
from pipeline.alarms.alarm import Alarm
from pipeline.as_code import Item, Plan, exported, plan
from pipeline.as_code.diff import Change
from pipeline.as_code.planning import asked_for
from pipeline.as_code.wanted import Making
from pipeline.desk.alarms import LocalAlarms
from pipeline.desk.base import Document, Parts
from pipeline.errors import ConfigError, Forbidden, InvalidDocuments, Problem
from pipeline.past import Content
from pipeline.store.applying import Present
from pipeline.store.routing import Create, Delete, EntryChange, Update
from pipeline.targets import check_action, checked_options


class LocalAsCode:
    """`desk.base.AsCode`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller
        self._alarms = LocalAlarms(parts, caller)

    def apply(
        self,
        files: Sequence[Content],
        items: Sequence[Item] = (),
        *,
        owner: str = "default",
        prune: bool = False,
        dry_run: bool = False,
    ) -> Document:
        """Make everything as files and items say, all of it or nothing."""
        self._caller.require(Permission.MODIFY)
        try:
            wanted = self._planned(files, items, owner, prune=prune)
        except ConfigError as error:
            raise InvalidDocuments(error.problems) from error
        if not dry_run:
            self._parts.store.apply(wanted.wanted, self._caller)
        return {
            "changes": [_change_document(change) for change in wanted.changes],
            "unchanged": wanted.unchanged,
        }

    def export(self, *, with_secrets: bool = False) -> dict[str, str]:
        """A YAML text for each list that is not empty."""
        self._caller.require(Permission.AUDIT)
        if with_secrets:
            self._caller.require_all(Permission.MODIFY)
            if self._caller.names is not None:
                raise Forbidden("you are held to some names: export without secrets.")
        present = self._visible(self._parts.store.present((), (), None))
        entries = {n: e for n, e in present.entries.items() if self._caller.reaches(n)}
        return exported(replace(present, entries=entries), with_secrets=with_secrets)

    # --- what is to be done --------------------------------------------------------------------

    def _planned(
        self, files: Sequence[Content], items: Sequence[Item], owner: str, *, prune: bool
    ) -> Plan:
        """The plan, and nothing in it that the caller may not. Raises `ConfigError`."""
        problems: list[Problem] = []
        found = [self._own(each) for each in (*_items_in(files, problems), *items)]
        for item in found:
            if item.kind != "alarm":
                self._caller.require_name(Permission.MODIFY, item.name)
        present = self._parts.store.present(*asked_for(found), owner)
        making = Making(check_action, checked_options, self._parts.new_id, self._parts.clock())
        seen = self._visible(present)
        made = plan(found, seen, making, owner=owner, prune=prune, problems=problems)
        return self._allowed(made, seen)

    def _own(self, item: Item) -> Item:
        """An alarm without a project is the caller's."""
        if item.kind != "alarm" or not self._caller.project_id:
            return item
        return replace(item, data={"project_id": self._caller.project_id, **item.data})

    def _visible(self, present: Present) -> Present:
        """What there is, with the alarms alone that are the caller's to see."""
        seen = [each for each in present.alarms if self._caller.sees_project(each.project_id)]
        return replace(present, alarms=seen)

    def _allowed(self, made: Plan, present: Present) -> Plan:
        """The plan, its alarms with what follows of who set them. Raises `Forbidden`."""
        for change in made.wanted.entries:
            self._caller.require_name(Permission.MODIFY, _name(change))
        before = {alarm.alarm_id: alarm for alarm in present.alarms}
        created = [self._alarms.owned(alarm, None) for alarm in made.wanted.created]
        updated = [self._kept(alarm, before[alarm.alarm_id]) for alarm in made.wanted.updated]
        return replace(made, wanted=replace(made.wanted, created=created, updated=updated))

    def _kept(self, alarm: Alarm, before: Alarm) -> Alarm:
        return self._alarms.owned(replace(alarm, guarded=before.guarded), before)


def _items_in(files: Sequence[Content], problems: list[Problem]) -> list[Item]:
    """The items of all files; what is wrong with the others is added to the problems."""
    found: list[Item] = []
    for file in files:
        try:
            document = yaml_source.load(file.text, file.name)
        except ConfigError as error:
            problems += error.problems
        else:
            found += as_code.items_of(document, problems)
    return found


def _name(change: EntryChange) -> str:
    match change:
        case Create(entry) | Update(entry):
            return entry.name
        case Delete(name):
            return name


def _change_document(change: Change) -> Document:
    return {
        "kind": change.kind,
        "name": change.name,
        "change": change.word,
        "diff": change.lines(),
    }
