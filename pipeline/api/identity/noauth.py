"""noauth: whoever asks says by headers who they are, and is believed (alarms 24).

`X-User-Id`, `X-Project-Id`, `X-Roles` (admin, member, reader), as the clients of Aodh send them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.access import Caller
from pipeline.api.identity.openstack import caller_of_roles


def noauth_caller(headers: Mapping[str, str]) -> Caller:
    """Who they say they are; without roles an admin, since they might say so as well."""
    user, project = headers.get("x-user-id", ""), headers.get("x-project-id", "")
    roles = {role.strip().lower() for role in headers.get("x-roles", "admin").split(",")}
    return caller_of_roles(user, project, roles)
