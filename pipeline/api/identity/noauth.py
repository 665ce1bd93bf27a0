"""noauth: whoever asks says by headers who they are, and is believed (alarms 24).

`X-User-Id`, `X-Project-Id`, `X-Roles` (admin, member, reader), as the clients of Aodh send them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.access import Caller, Role
from pipeline.errors import Forbidden


def noauth_caller(headers: Mapping[str, str]) -> Caller:
    """Who they say they are; without roles an admin, since they might say so as well."""
    user, project = headers.get("x-user-id", ""), headers.get("x-project-id", "")
    roles = {role.strip().lower() for role in headers.get("x-roles", "admin").split(",")}
    return caller_of_roles(user, project, roles)


def caller_of_roles(user_id: str, project_id: str, roles: set[str]) -> Caller:
    """A caller with the roles of an OpenStack cloud: an admin sees everything, a member changes
    what is of their project, and a reader looks at that. Raises `Forbidden` for all others."""
    if "admin" in roles:
        return Caller(user_id, Role.ADMIN, project_id)
    if not roles & {"member", "reader"}:
        named = ", ".join(sorted(roles))
        raise Forbidden(
            f"the roles {named} may do nothing here. It takes admin, member or reader."
        )
    role = Role.ADMIN if "member" in roles else Role.AUDIT
    own = frozenset({project_id} if project_id else ())
    return Caller(user_id, role, project_id, projects=own, names=frozenset())
