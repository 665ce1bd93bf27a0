"""Quotas at the desk: everybody sees their project's, and admins of all projects set them.

Asking for a quota stores nothing: what the settings say holds until a project gets its own
(alarms 23).
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.access import Caller, Permission
from pipeline.desk.base import Document, Parts
from pipeline.errors import InvalidValue
from pipeline.registry import one_of
from pipeline.store.documents import KEY_LENGTH
from pipeline.store.quotas import ALARMS, RESOURCES, UNLIMITED

_MOST = 2**31 - 1


class LocalQuotas:
    """`desk.base.Quotas`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def found(self, project_id: str | None = None) -> Document:
        """The project's quotas, or the caller's own."""
        self._caller.require(Permission.AUDIT)
        project = self._caller.project_id if project_id is None else project_id
        if not self._caller.sees_project(project):
            self._caller.require_all(Permission.AUDIT)
        default = {ALARMS: self._parts.settings.api.project_alarm_quota}
        return _document(project, {**default, **self._parts.store.quotas(project)})

    def update(self, project_id: str, quotas: Mapping[str, int]) -> Document:
        """Set these of the project."""
        self._caller.require_all(Permission.MODIFY)
        if len(project_id) > KEY_LENGTH:
            message = f"project_id must be at most {KEY_LENGTH} characters"
            raise InvalidValue(message, "project_id")
        for resource, limit in quotas.items():
            _check(resource, limit)
        return _document(project_id, self._parts.store.set_quotas(project_id, quotas))

    def delete(self, project_id: str) -> None:
        """Let the defaults hold again for a project."""
        self._caller.require_all(Permission.MODIFY)
        self._parts.store.delete_quotas(project_id)


def _document(project_id: str, quotas: Mapping[str, int]) -> Document:
    found = [{"resource": resource, "limit": limit} for resource, limit in quotas.items()]
    return {"project_id": project_id, "quotas": found}


def _check(resource: str, limit: int) -> None:
    """Raise `InvalidValue` in Aodh's words."""
    start = "Invalid input for field/attribute"
    if resource not in RESOURCES:
        known = one_of(resource, RESOURCES)
        raise InvalidValue(f"{start} resource. Value: {resource!r}. {known}", "resource")
    if limit < UNLIMITED:
        message = f"Value: '{limit}'. Value should be greater or equal to {UNLIMITED}"
        raise InvalidValue(f"{start} limit. {message}", "limit")
    if limit > _MOST:
        message = f"Value: '{limit}'. Value should be lower or equal to {_MOST}"
        raise InvalidValue(f"{start} limit. {message}", "limit")
