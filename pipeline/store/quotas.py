"""Quotas: how many alarms a project, or a user, may have (alarms 23).

`pipeline.store.sql.quotas` carries this out. A project's own quota goes before the default, which
the settings say. What belongs to no project, or no user, has no quota by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

UNLIMITED = -1
ALARMS = "alarms"
RESOURCES = (ALARMS,)
"""What a project may have a quota of."""


@dataclass(frozen=True, slots=True)
class QuotaDefaults:
    """How many alarms a user, and a project without a quota of its own, may have; -1: any."""

    user: int = UNLIMITED
    project: int = UNLIMITED


class Quotas(Protocol):
    """The quotas of projects, by resource."""

    def quotas(self, project_id: str) -> Mapping[str, int]:
        """The project's own; a resource that has none is absent."""

    def set_quotas(self, project_id: str, quotas: Mapping[str, int]) -> Mapping[str, int]:
        """Set these, and leave the others; all that the project now has."""

    def delete_quotas(self, project_id: str) -> None:
        """Let the defaults hold again."""
