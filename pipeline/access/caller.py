"""The caller: who asks, in which role, and which projects and names that reaches.

A role says what somebody may do, projects and names to what. Whoever is held to projects sees of
alarms, deliveries and events only theirs, and nothing that belongs to no project: rejected
events, the state of the whole, tokens. Names are those of targets, groups, filters and matchers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from pipeline.errors import Forbidden


class Permission(StrEnum):
    """What may be done (notifications 14)."""

    AUDIT = "audit"
    """Look at something."""
    USE = "use"
    """Tell a target or group, or try it."""
    MANAGE = "manage"
    """Change a state: an alarm's, a dead letter's, a receiver's."""
    MODIFY = "modify"
    """Change what is set up."""


class Role(StrEnum):
    """What a caller is (notifications 14), from the least to the most."""

    AUDIT = "audit"
    MANAGE = "manage"
    ADMIN = "admin"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.AUDIT: frozenset({Permission.AUDIT}),
        Role.MANAGE: frozenset({Permission.AUDIT, Permission.USE, Permission.MANAGE}),
        Role.ADMIN: frozenset(Permission),
    }
)
"""What each role may do."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `user_id` stands in the history of what they change.

    `project_id` is the project that what they make belongs to, `''` for none. `projects` and
    `names` are those that they are held to; None: all. `token_id` is the API token that they
    showed, `''` for none.
    """

    user_id: str
    role: Role
    project_id: str = ""
    projects: frozenset[str] | None = None
    names: frozenset[str] | None = None
    token_id: str = ""

    @property
    def sees_all(self) -> bool:
        """Whether they are held to no projects: what belongs to none is theirs too."""
        return self.projects is None

    @property
    def is_admin(self) -> bool:
        """Whether they set up things for everybody: what they make is not guarded."""
        return self.role is Role.ADMIN and self.sees_all and self.names is None

    def may(self, permission: Permission) -> bool:
        """Whether their role allows it."""
        return permission in PERMISSIONS[self.role]

    def sees_project(self, project_id: str) -> bool:
        """Whether what belongs to the project is theirs to see."""
        return self.projects is None or project_id in self.projects

    def reaches(self, name: str) -> bool:
        """Whether a target, group, filter or matcher of this name is theirs to deal with."""
        return self.names is None or name in self.names

    def require(self, permission: Permission) -> None:
        """Raise `Forbidden` where their role does not allow it."""
        if not self.may(permission):
            roles = [role.value for role in Role if permission in PERMISSIONS[role]]
            raise Forbidden(
                f"the role {self.role} may not {permission}. It takes {' or '.join(roles)}."
            )

    def require_all(self, permission: Permission) -> None:
        """Raise `Forbidden` where their role does not allow it, or they are held to projects."""
        self.require(permission)
        if not self.sees_all:
            raise Forbidden(
                "this belongs to no project, and you are held to "
                f"{_listed(self.projects or frozenset())}. Ask somebody who is not."
            )

    def require_admin(self, what: str) -> None:
        """Raise `Forbidden`, naming what it is about, for whoever is no admin of everything."""
        if not self.is_admin:
            raise Forbidden(f"{what} is for admins who are held to no projects and names.")

    def require_name(self, permission: Permission, name: str) -> None:
        """Raise `Forbidden` where their role does not allow it, or not with this name."""
        self.require(permission)
        if not self.reaches(name):
            raise Forbidden(f"{name} is not among the names that you may {permission}.")


def _listed(projects: frozenset[str]) -> str:
    return f"project {', '.join(sorted(projects))}" if projects else "no project"


LOCAL = Caller("", Role.ADMIN)
"""Whoever runs commands on the database itself."""
