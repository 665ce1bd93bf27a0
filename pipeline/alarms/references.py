"""References: which alarm a composite rule means by an id or a name, and which it may.

Pure. Called by the store, and by files that are applied (`pipeline.as_code`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from pipeline.alarms.alarm import Alarm, CompositeRule, EventRule, Reference
from pipeline.errors import InvalidValue

_NAMED_AT_MOST = 10


class Known(Protocol):
    """An alarm that may be referred to."""

    @property
    def alarm_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def project_id(self) -> str: ...


class Directory:
    """Alarms by id and by name, so that a reference is looked up without a look at the others."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        self.by_id = {each.alarm_id: each for each in known}
        self._by_name: dict[str, list[Known]] = {}
        for each in self.by_id.values():
            self._by_name.setdefault(each.name, []).append(each)

    def meant(self, text: str) -> list[Known]:
        """Those that have the text as their id or name."""
        by_id = self.by_id.get(text)
        return [*([] if by_id is None else [by_id]), *self._by_name.get(text, ())]


def may_refer(alarm: Alarm, other: Known) -> bool:
    """Whether a composite alarm may refer to the other: to those of its own project, and to any
    if it sees all projects."""
    return alarm.all_projects or alarm.project_id == other.project_id


def resolve(alarm: Alarm, known: Directory) -> Alarm:
    """The alarm, ids in place of the names in its rule. `known` has those that it may mean.

    Raises `InvalidValue` for what leads to none or to more than one.
    """
    if not isinstance(alarm.rule, CompositeRule) or not alarm.rule.references:
        return alarm
    ids = {text: _meant(alarm, text, known) for text in alarm.rule.references}
    return replace(alarm, rule=_with_ids(alarm.rule, ids))


def _meant(alarm: Alarm, text: str, known: Directory) -> str:
    named = [each.alarm_id for each in known.meant(text) if may_refer(alarm, each)]
    if text in named:
        return text
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(sorted(named)[:_NAMED_AT_MOST])
        more = ", …" if len(named) > _NAMED_AT_MOST else ""
        message = f"more than one alarm is named '{text}'. Use an id: {ids}{more}"
        raise InvalidValue(f"composite_rule: {message}", "composite_rule")
    where = "" if alarm.all_projects else f" in project '{alarm.project_id}'"
    message = f"there is no alarm '{text}'{where}. Make it first, or correct the reference."
    raise InvalidValue(f"composite_rule: {message}", "composite_rule")


def _with_ids(rule: CompositeRule, ids: Mapping[str, str]) -> CompositeRule:
    parts: list[CompositeRule | EventRule | Reference] = []
    for part in rule.parts:
        if isinstance(part, Reference):
            parts.append(Reference(ids[part.alarm]))
        else:
            parts.append(_with_ids(part, ids) if isinstance(part, CompositeRule) else part)
    return replace(rule, parts=tuple(parts))
