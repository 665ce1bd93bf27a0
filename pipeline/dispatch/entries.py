"""What people set up by name: targets, groups, filters and matchers (notifications 8 to 12).

Values only. Made at the edges (marshmallow schemas, rows of the store) and read by the planning of
deliveries. Names are unique across all four kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias


class Origin(StrEnum):
    """Where an entry comes from (notifications 10). Deleting a modified built-in resets it."""

    BUILTIN = "builtin"
    MODIFIED_BUILTIN = "modified-builtin"
    USER_CREATED = "user-created"


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """A receiver and how to tell it: its type and the options of that type.

    `secrets` are those of the options that nobody is shown: in clear for whoever delivers, `***`
    for everybody else. Notifications less severe than the filter named `filter` asks for do not
    reach it; `fallback` names the target that takes what this one could not deliver (delivery 11).
    `guards` says how it is spared (rate limit, concurrency, storm), by the names of
    `pipeline.dispatch.guards`.
    """

    name: str
    type: str
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict, repr=False)
    comment: str = ""
    disable: bool = False
    filter: str = ""
    fallback: str = ""
    guards: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = Origin.USER_CREATED


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """Several targets under one name."""

    name: str
    targets: tuple[str, ...]
    comment: str = ""
    disable: bool = False
    filter: str = ""
    origin: Origin = Origin.USER_CREATED


@dataclass(frozen=True, slots=True)
class FilterEntry:
    """How severe a notification must be at least."""

    name: str
    min_severity: str
    comment: str = ""
    disable: bool = False
    origin: Origin = Origin.USER_CREATED


@dataclass(frozen=True, slots=True)
class MatcherEntry:
    """Which notifications go to which targets and groups (notifications 8).

    Rules are as they were written: `match_field` `exact:f=a,b` or `regex:f=re`, `match_severity`
    words, `match_calendar` `mon-fri 9-17`. With no rule at all it always matches. `targets` are
    names of targets and groups.
    """

    name: str
    targets: tuple[str, ...] = ()
    match_field: tuple[str, ...] = ()
    match_severity: tuple[str, ...] = ()
    match_calendar: tuple[str, ...] = ()
    mode: str = "all"
    invert_match: bool = False
    comment: str = ""
    disable: bool = False
    origin: Origin = Origin.USER_CREATED


Entry: TypeAlias = TargetEntry | GroupEntry | FilterEntry | MatcherEntry
