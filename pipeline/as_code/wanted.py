"""Wanted: one item → the alarm or the entry that it describes. Pure.

What an item does not say is as it is by default, whatever there was before. A secret that is `***`
is the one that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipeline.alarms.alarm import COMPOSITE, Alarm
from pipeline.alarms.alarm_schema import ActionCheck
from pipeline.alarms.schema import load_alarm, unmasked
from pipeline.as_code.items import Item
from pipeline.dispatch import Entry, Origin, TargetEntry, edits
from pipeline.dispatch.builtins import BUILTINS
from pipeline.dispatch.entry_schema import OptionsCheck
from pipeline.dispatch.secret_values import has_kept, merged
from pipeline.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Making:
    """What making alarms and entries needs."""

    check_action: ActionCheck
    check_options: OptionsCheck
    new_id: Callable[[], str]
    now: datetime
    max_actions: int = -1


def wanted_alarm(item: Item, present: Alarm | None, making: Making) -> Alarm:
    """The alarm of an item, with the id of the present one. Raises `InvalidValue`."""
    type = COMPOSITE if item.data.get("composite_rule") else "event"
    data = {"type": type, "all_projects": not item.data.get("project_id"), **item.data}
    if present is not None:
        data = {**unmasked(data, present), "state": present.state.value}
    given = item.data.get("alarm_id")
    if given is not None and not (isinstance(given, str) and given):
        raise InvalidValue("an id is a text.", None, {"alarm_id": ["an id is a text."]})
    alarm_id = present.alarm_id if present else (given or making.new_id())
    alarm = load_alarm(
        data,
        alarm_id=alarm_id,
        now=making.now,
        check_action=making.check_action,
        max_actions=making.max_actions,
    )
    return replace(alarm, revision=present.revision) if present else alarm


def wanted_entry(item: Item, present: Entry | None, readable: bool, making: Making) -> Entry:
    """The entry of an item, secrets in clear. Raises `InvalidValue`.

    Of a present one whose secrets are not `readable`, those that are to stay are `***`.
    """
    entry = edits.new(item.kind, item.data, making.check_options)
    origin = Origin.MODIFIED_BUILTIN if entry.name in BUILTINS else Origin.USER_CREATED
    entry = replace(entry, origin=origin)
    if not isinstance(entry, TargetEntry) or not entry.secrets or not readable:
        return entry
    kept: Mapping[str, Any] = present.secrets if isinstance(present, TargetEntry) else {}
    secrets = {
        name: merged(name, kept.get(name), given) if has_kept(given) else given
        for name, given in entry.secrets.items()
    }
    return replace(entry, secrets=secrets)
