"""Alarms at the desk: who may see and change which, and whose their actions are (alarms 1 to 11).

An alarm belongs to a project. Who is held to projects sees only theirs, makes none that sees
others, and uses only the targets and schemes that they may; what they set is guarded
(delivery 9).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from pipeline.access import Caller, Permission
from pipeline.alarms.alarm import COMPOSITE, Alarm, State
from pipeline.alarms.expressions import predicate
from pipeline.alarms.schema import as_dict, load_alarm, update_alarm
from pipeline.desk.base import Document, Page, Parts
from pipeline.desk.entries import OF_THE_MACHINE
from pipeline.dispatch import named, scheme
from pipeline.entries import found, unknown_names
from pipeline.errors import Forbidden, InvalidValue, NotFound
from pipeline.masking import mask_url
from pipeline.registry import one_of
from pipeline.store.base import HistoryEntry
from pipeline.targets import check_action
from pipeline.times import plain

_NEWEST_FIRST = (("timestamp", "desc"),)
_LONGEST_NUMBER = 20
_STATES = ("ok_actions", "alarm_actions", "insufficient_data_actions")


class LocalAlarms:
    """`desk.base.Alarms`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def create(self, document: Mapping[str, Any]) -> Document:
        """Make an alarm; see `desk.base.Alarms.create`."""
        alarm = self._new(document)
        return alarm_document(self._parts.store.create(alarm, self._caller))

    def create_many(self, documents: Sequence[Mapping[str, Any]]) -> list[Document]:
        """Make alarms, all of them or none."""
        alarms = [self._new(document) for document in documents]
        self._parts.store.create_many(alarms, self._caller)
        return [alarm_document(self._parts.store.get(alarm.alarm_id)) for alarm in alarms]

    def find(self, id_or_name: str) -> Document:
        """By id, else by name."""
        return alarm_document(self.found(id_or_name))

    def search(
        self,
        filters: Mapping[str, Any] | None = None,
        query: str | None = None,
        sort: Sequence[tuple[str, str]] = (),
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """Alarms that equal every filter and meet the query, in order."""
        self._caller.require(Permission.AUDIT)
        meets = predicate(query) if query else None
        found = filter(meets, self._alarms(filters, sort, marker))
        alarms = list(found if limit is None else islice(found, limit + 1))
        more = limit is not None and len(alarms) > limit
        page = alarms[:limit]
        return Page([*map(alarm_document, page)], page[-1].alarm_id if more else None)

    def update(
        self, alarm_id: str, changes: Mapping[str, Any], digest: str | None = None
    ) -> Document:
        """Change what is given, keep all else."""
        self._caller.require(Permission.MODIFY)
        present = self.found(alarm_id)
        now = self._parts.clock()
        changed = update_alarm(present, changes, now=now, check_action=check_action)
        changed = self.owned(changed, present)
        updated = self._parts.store.update(changed, self._caller, if_revision=_revision(digest))
        if "state" in changes:
            updated = self._parts.store.set_state(
                updated.alarm_id, changed.state, now, self._caller
            )
        return alarm_document(updated)

    def delete(self, alarm_id: str, digest: str | None = None) -> None:
        """Delete an alarm; its history stays."""
        self._caller.require(Permission.MODIFY)
        alarm = self.found(alarm_id)
        self._parts.store.delete(alarm.alarm_id, self._caller, if_revision=_revision(digest))

    def set_state(self, alarm_id: str, state: str) -> Document:
        """Set the state by hand."""
        self._caller.require(Permission.MANAGE)
        if state not in list(State):
            raise InvalidValue(f"unknown state {state!r}. {one_of(state, State)}", "state")
        alarm = self.found(alarm_id)
        now = self._parts.clock()
        changed = self._parts.store.set_state(alarm.alarm_id, State(state), now, self._caller)
        return alarm_document(changed)

    def history(self, alarm_id: str, limit: int | None = None, marker: str | None = None) -> Page:
        """What became of an alarm, newest first."""
        self._caller.require(Permission.AUDIT)
        entries = [
            entry
            for entry in self._parts.store.history(alarm_id)
            if self._caller.sees_project(entry.on_behalf_of)
        ]
        if not entries:
            raise NotFound(f"Alarm {alarm_id} not found")
        return _part_of([*map(history_document, entries)], "event_id", limit, marker)

    def unknown_names(self, alarm_id: str) -> list[str]:
        """The alarm's actions that lead to what does not exist (yet)."""
        alarm = self.found(alarm_id)
        return [mask_url(each) for each in unknown_names(self._parts.store, alarm)]

    # --- whose -------------------------------------------------------------------------------

    def found(self, id_or_name: str) -> Alarm:
        """The alarm itself, by id, else by name. Raises `NotFound`, `Ambiguous`."""
        self._caller.require(Permission.AUDIT)
        alarm = self._parts.store.find(id_or_name)
        if not self._caller.sees_project(alarm.project_id):
            raise NotFound(f"Alarm {id_or_name} not found")
        return alarm

    def _alarms(
        self,
        filters: Mapping[str, Any] | None,
        sort: Sequence[tuple[str, str]],
        marker: str | None,
    ) -> Iterator[Alarm]:
        search = partial(self._parts.store.search, filters, sort or _NEWEST_FIRST)
        for alarm in search(marker=marker):
            if self._caller.sees_project(alarm.project_id):
                yield alarm

    def _new(self, document: Mapping[str, Any]) -> Alarm:
        """A new alarm of the caller's. Raises `InvalidValue`, `Forbidden`."""
        self._caller.require(Permission.MODIFY)
        return self.owned(self.described(document), None)

    def described(self, document: Mapping[str, Any]) -> Alarm:
        """The alarm that a document describes, the caller's unless it says otherwise; whether they
        may make it is not asked. Raises `InvalidValue`."""
        own = {"project_id": self._caller.project_id} if self._caller.project_id else {}
        type = COMPOSITE if "composite_rule" in document else "event"
        described = {"type": type, **own, **document}
        described.setdefault(
            "all_projects", self._caller.sees_all and not described.get("project_id")
        )
        if described["type"] == "event":
            described.setdefault("event_rule", {})
        return load_alarm(
            described,
            alarm_id=self._parts.new_id(),
            now=self._parts.clock(),
            check_action=check_action,
        )

    def owned(self, alarm: Alarm, before: Alarm | None) -> Alarm:
        """The alarm with what follows of who set it. Raises `Forbidden` for what they may not."""
        if not self._caller.sees_project(alarm.project_id):
            raise Forbidden(f"project {alarm.project_id!r} is not yours to make alarms for.")
        if alarm.all_projects and not (before and before.all_projects):
            self._caller.require_all(Permission.MODIFY)
        known = {action for name in _STATES for action in getattr(before, name, ())}
        new = {action for name in _STATES for action in getattr(alarm, name)} - known
        for action in sorted(new):
            self.may_tell(action)
        if before is not None and not new:
            return alarm
        return replace(alarm, guarded=not self._caller.is_admin)

    def may_tell(self, action: str) -> None:
        """Raise `Forbidden` for an action that the caller may not use."""
        if scheme(action) in OF_THE_MACHINE:
            self._caller.require_admin(f"the action {mask_url(action)}")
        for kind in ("target", "group"):
            if name := named(action, kind):
                self._caller.require_name(Permission.USE, name)
                if kind == "group" and self._caller.names is not None:
                    self._may_use_members(name)

    def _may_use_members(self, group: str) -> None:
        """A group may be told by whoever may tell all that are in it (notifications 14)."""
        try:
            entry: Any = found(self._parts.store, "group", group).entry
        except NotFound:
            return
        for name in filter(None, (*entry.targets, entry.filter)):
            self._caller.require_name(Permission.USE, name)


def alarm_document(alarm: Alarm) -> Document:
    """An alarm as the desk tells of it."""
    return {**as_dict(alarm, mask=True), "digest": str(alarm.revision)}


def history_document(entry: HistoryEntry) -> Document:
    """A line of history as the desk tells of it (alarms 22)."""
    return {
        "event_id": entry.event_id,
        "alarm_id": entry.alarm_id,
        "type": entry.type,
        "detail": entry.detail,
        "project_id": entry.project_id,
        "user_id": entry.user_id,
        "on_behalf_of": entry.on_behalf_of,
        "timestamp": plain(entry.timestamp),
    }


def _revision(digest: str | None) -> int | None:
    if digest is None:
        return None
    # One that is no number is of no revision, nor is one that no database counts to.
    return int(digest) if digest.isdecimal() and len(digest) < _LONGEST_NUMBER else -1


def _part_of(
    documents: Sequence[Document], key: str, limit: int | None, marker: str | None
) -> Page:
    """The part of a whole list that follows the one whose `key` is the marker."""
    places = {document[key]: place for place, document in enumerate(documents)}
    if marker is not None and marker not in places:
        raise InvalidValue(f"marker: there is no {key} {marker!r} here", "marker")
    start = 0 if marker is None else places[marker] + 1
    end = None if limit is None else start + limit
    part = documents[start:end]
    more = end is not None and end < len(documents)
    return Page(part, part[-1][key] if more else None)
