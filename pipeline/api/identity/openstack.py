"""The roles of an OpenStack cloud → a caller (alarms 24). Pure; for noauth and Keystone."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.access import Caller, Role
from pipeline.errors import Forbidden


def caller_of_roles(user_id: str, project_id: str, roles: Collection[str]) -> Caller:
    """A caller with the roles of an OpenStack cloud: an admin sees everything, a member changes
    what is of their project, and a reader looks at that. Raises `Forbidden` for all others."""
    if "admin" in roles:
        return Caller(user_id, Role.ADMIN, project_id)
    if not {"member", "reader"}.intersection(roles):
        who = f"the roles {', '.join(sorted(roles))}" if roles else "who has no role"
        raise Forbidden(f"{who} may do nothing here. It takes admin, member or reader.")
    role = Role.ADMIN if "member" in roles else Role.AUDIT
    own = frozenset({project_id} if project_id else ())
    return Caller(user_id, role, project_id, projects=own, names=frozenset())
