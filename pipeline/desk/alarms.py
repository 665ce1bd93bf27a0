"""Alarms at the desk: who may see and change which, and whose their actions are (alarms 1 to 11).

An alarm belongs to a project. Who is held to projects sees only theirs, makes none that sees
others, and uses only the targets and schemes that they may; what they set is guarded
(delivery 9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from pipeline.access import Caller, Permission
from pipeline.alarms.alarm import COMPOSITE, Alarm, State
from pipeline.alarms.criteria import HISTORY_FIELDS, Comparison, Criterion, all_of, among
from pipeline.alarms.expressions import criterion
from pipeline.alarms.schema import as_dict, load_alarm, replaced_alarm, update_alarm
from pipeline.desk.base import Document, Page, Parts
from pipeline.desk.entries import OF_THE_MACHINE
from pipeline.dispatch import named, scheme
from pipeline.entries import found, unknown_names
from pipeline.errors import Forbidden, InvalidValue, NotFound, OutOfReach
from pipeline.masking import mask_url
from pipeline.registry import one_of
from pipeline.store.managing import HistoryEntry
from pipeline.store.quotas import QuotaDefaults
from pipeline.targets import check_action
from pipeline.times import plain

Order: TypeAlias = Sequence[tuple[str, str]]

_NEWEST_FIRST = (("timestamp", "desc"),)
_LONGEST_NUMBER = 20
_STATES = ("ok_actions", "alarm_actions", "insufficient_data_actions")


class LocalAlarms:
    """`desk.base.Alarms`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def create(self, document: Mapping[str, Any], *, whole: bool = False) -> Document:
        """Make an alarm; see `desk.base.Alarms.create`. `whole`: type and rule must be said."""
        alarm, quotas = self._new(document, whole=whole), self._quotas()
        return alarm_document(self._parts.store.create(alarm, self._caller, quotas=quotas))

    def create_many(self, documents: Sequence[Mapping[str, Any]]) -> list[Document]:
        """Make alarms, all of them or none."""
        alarms = [self._new(document) for document in documents]
        self._parts.store.create_many(alarms, self._caller, quotas=self._quotas())
        return [alarm_document(self._parts.store.get(alarm.alarm_id)) for alarm in alarms]

    def find(self, id_or_name: str) -> Document:
        """By id, else by name."""
        return alarm_document(self.found(id_or_name))

    def search(
        self,
        filters: Mapping[str, Any] | None = None,
        query: str | Criterion | None = None,
        sort: Order = (),
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """Alarms that equal every filter and meet the query, in order."""
        self._caller.require(Permission.AUDIT)
        wanted = criterion(query) if isinstance(query, str) else query
        more = limit + 1 if limit else limit
        found = self._parts.store.search(
            filters, sort or _NEWEST_FIRST, more, marker, self._theirs("project_id", wanted)
        )
        return page_of([*map(alarm_document, found)], "alarm_id", limit)

    def update(
        self, alarm_id: str, changes: Mapping[str, Any], digest: str | None = None
    ) -> Document:
        """Change what is given, keep all else."""
        self._caller.require(Permission.MODIFY)
        present = self.found(alarm_id)
        changed = update_alarm(present, changes, **self._making())
        return self._updated(present, changed, digest, with_state="state" in changes)

    def replace(
        self, alarm_id: str, document: Mapping[str, Any], digest: str | None = None
    ) -> Document:
        """Put this alarm in the place of another, as Aodh's PUT does; see `_as_theirs`."""
        self._caller.require(Permission.MODIFY)
        present = self.found(alarm_id)
        whole = {**document, **self._as_theirs()}
        changed = replaced_alarm(present, whole, **self._making())
        return self._updated(present, changed, digest, with_state=True)

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

    def history(
        self,
        alarm_id: str,
        limit: int | None = None,
        marker: str | None = None,
        sort: Order = (),
        query: Criterion | None = None,
    ) -> Page:
        """What became of an alarm, the newest first."""
        of_it = Comparison("alarm_id", "=", alarm_id)
        found = self.search_history(all_of([of_it, query]), sort, limit, marker)
        if not found.items and not self._is_known(of_it):
            raise NotFound(f"Alarm {alarm_id} not found")
        return found

    def search_history(
        self,
        query: str | Criterion | None = None,
        sort: Order = (),
        limit: int | None = None,
        marker: str | None = None,
    ) -> Page:
        """What became of all alarms, the newest first."""
        self._caller.require(Permission.AUDIT)
        wanted = criterion(query, HISTORY_FIELDS) if isinstance(query, str) else query
        theirs = self._theirs("on_behalf_of", wanted)
        more = limit + 1 if limit else limit
        store = self._parts.store
        found = store.search_history(theirs, sort or _NEWEST_FIRST, more, marker)
        return page_of([*map(history_document, found)], "event_id", limit)

    def states(self, query: Criterion | None = None) -> list[tuple[str, str, State]]:
        """The id, the project and the state of each alarm that meets the query."""
        self._caller.require(Permission.AUDIT)
        return self._parts.store.states_of(self._theirs("project_id", query))

    def unknown_names(self, alarm_id: str) -> list[str]:
        """The alarm's actions that lead to what does not exist (yet)."""
        alarm = self.found(alarm_id)
        return [mask_url(each) for each in unknown_names(self._parts.store, alarm)]

    # --- whose -------------------------------------------------------------------------------

    def found(self, id_or_name: str) -> Alarm:
        """The alarm itself, by id, else by name. Raises `NotFound`, `Ambiguous`."""
        self._caller.require(Permission.AUDIT)
        return self._parts.store.find(id_or_name, self._caller.projects)

    def _theirs(self, field: str, wanted: Criterion | None) -> Criterion | None:
        """What is asked for, of the projects that the caller sees."""
        projects = self._caller.projects
        own = None if projects is None else among(field, sorted(projects))
        return all_of([own, wanted])

    def _is_known(self, of_it: Criterion) -> bool:
        """Whether there is such an alarm, or was one whose history is kept."""
        store, before = self._parts.store, self._theirs("on_behalf_of", of_it)
        present = store.search(criterion=self._theirs("project_id", of_it))
        return bool(present or store.search_history(before, limit=1))

    def _making(self) -> dict[str, Any]:
        """What alarms are made with."""
        most = self._parts.settings.alarms.max_actions
        return {"now": self._parts.clock(), "check_action": check_action, "max_actions": most}

    def _quotas(self) -> QuotaDefaults:
        api = self._parts.settings.api
        return QuotaDefaults(api.user_alarm_quota, api.project_alarm_quota)

    def _new(self, document: Mapping[str, Any], *, whole: bool = False) -> Alarm:
        """A new alarm of the caller's. Raises `InvalidValue`, `Forbidden`."""
        self._caller.require(Permission.MODIFY)
        alarm = self.described(document, whole=whole)
        user_id = self._caller.user_id
        if not self._caller.sees_all and alarm.user_id not in ("", user_id):
            raise OutOfReach(
                f"user {alarm.user_id!r} is another, and you make alarms of your own.",
                "user",
                alarm.user_id,
            )
        return self.owned(alarm, None)

    def described(self, document: Mapping[str, Any], *, whole: bool = False) -> Alarm:
        """The alarm that a document describes, the caller's unless it says otherwise; whether they
        may make it is not asked. Raises `InvalidValue`."""
        given = {name: value for name, value in document.items() if value is not None}
        type = COMPOSITE if "composite_rule" in given else "event"
        described = {**({} if whole else {"type": type}), **self._own(), **given}
        described.setdefault(
            "all_projects", self._caller.sees_all and not described.get("project_id")
        )
        if described.get("type") == "event" and not whole:
            described.setdefault("event_rule", {})
        return load_alarm(described, alarm_id=self._parts.new_id(), **self._making())

    def _own(self) -> dict[str, str]:
        """Whose alarms are that the caller makes: their project's and theirs."""
        own = {"project_id": self._caller.project_id, "user_id": self._caller.user_id}
        return {name: value for name, value in own.items() if value}

    def _as_theirs(self) -> dict[str, str]:
        """Whose an alarm is that the caller puts in the place of another: their own, unless they
        are held to no projects and may say it."""
        return {} if self._caller.sees_all else self._own()

    def _updated(
        self, present: Alarm, changed: Alarm, digest: str | None, *, with_state: bool
    ) -> Document:
        updated = self._parts.store.update(
            self.owned(changed, present),
            self._caller,
            if_revision=_revision(digest),
            with_state=with_state,
            quotas=self._quotas(),
        )
        return alarm_document(updated)

    def owned(self, alarm: Alarm, before: Alarm | None) -> Alarm:
        """The alarm with what follows of who set it. Raises `Forbidden` for what they may not."""
        if not self._caller.sees_project(alarm.project_id):
            raise OutOfReach(
                f"project {alarm.project_id!r} is not yours to make alarms for.",
                "project",
                alarm.project_id,
            )
        if alarm.all_projects and not (before and before.all_projects):
            self._caller.require_all(Permission.MODIFY)
        known = {action for name in _STATES for action in getattr(before, name, ())}
        actions = {action for name in _STATES for action in getattr(alarm, name)}
        for action in sorted(actions - known):
            self.may_tell(action)
        if before is not None and actions <= known:
            return alarm
        # As long as one of them is left that somebody else than an admin set.
        still = before is not None and before.guarded and bool(actions & known)
        return replace(alarm, guarded=still or not self._caller.is_admin)

    def may_tell(self, action: str) -> None:
        """Raise `OutOfReach` for an action that the caller may not use."""
        shown = mask_url(action)
        try:
            if scheme(action) in OF_THE_MACHINE:
                self._caller.require_admin(f"the action {shown}")
            self._may_use(action)
        except Forbidden as error:
            raise OutOfReach(str(error), "action", shown) from error

    def _may_use(self, action: str) -> None:
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


def page_of(documents: Sequence[Document], key: str, limit: int | None) -> Page:
    """The page of documents, of which one more than the limit was asked for."""
    page = documents[:limit]
    more = limit is not None and len(documents) > limit
    return Page(page, page[-1][key] if more else None)
