"""Quotas: kept by project, and checked in the transaction that adds to a project.

Whoever adds has taken the next revision before (`sql.revisions`), so they come one after the
other: who counts sees all that were added, and two cannot share the last place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, func, insert, select

from pipeline.errors import OverQuota
from pipeline.store import schema
from pipeline.store.documents import storable_key
from pipeline.store.quotas import ALARMS, UNLIMITED, QuotaDefaults
from pipeline.store.sql.part import Part

_alarm, _quota = schema.alarm.c, schema.quota


class SqlQuotas(Part):
    """`store.quotas.Quotas`."""

    def quotas(self, project_id: str) -> Mapping[str, int]:
        """The project's own; a resource that has none is absent."""
        with self._database.read() as connection:
            return _quotas(connection, project_id)

    def set_quotas(self, project_id: str, quotas: Mapping[str, int]) -> Mapping[str, int]:
        """Set these, and leave the others; all that the project now has."""
        with self._database.write() as connection:
            key = _quota.c.project_id == project_id
            gone = delete(_quota).where(key, _quota.c.resource.in_(list(quotas)))
            connection.execute(gone)
            rows = [
                {"project_id": project_id, "resource": resource, "most": most}
                for resource, most in quotas.items()
            ]
            if rows:
                connection.execute(insert(_quota), rows)
            return _quotas(connection, project_id)

    def delete_quotas(self, project_id: str) -> None:
        """Let the defaults hold again."""
        with self._database.write() as connection:
            connection.execute(delete(_quota).where(_quota.c.project_id == project_id))


def check_quotas(
    connection: Connection, owners: Collection[tuple[str, str]], defaults: QuotaDefaults | None
) -> None:
    """Raise `OverQuota` where, of these (user, project) pairs whose alarms were just written,
    one has more than it may. Without defaults nothing is checked."""
    if defaults is None:
        return
    for user_id, project_id in dict.fromkeys(owners):
        own = _quotas(connection, project_id).get(ALARMS)
        most = own if own is not None else defaults.project if project_id else UNLIMITED
        over = most != UNLIMITED and _count(connection, "project_id", project_id) > most
        if not over and user_id and defaults.user != UNLIMITED:
            over = _count(connection, "user_id", user_id) > defaults.user
        if over:
            raise OverQuota(f"Alarm quota exceeded for user {user_id} on project {project_id}")


def _quotas(connection: Connection, project_id: str) -> dict[str, int]:
    statement = select(_quota.c.resource, _quota.c.most).where(_quota.c.project_id == project_id)
    return {row.resource: row.most for row in connection.execute(statement)}


def _count(connection: Connection, column: str, value: str) -> int:
    statement = select(func.count()).where(_alarm[column] == storable_key(value))
    return int(connection.execute(statement).scalar_one())
