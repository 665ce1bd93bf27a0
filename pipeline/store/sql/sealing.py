"""Sealed secrets: all of them, for whoever changes the keys that they are sealed with."""

from __future__ import annotations

from sqlalchemy import select, update

from pipeline.access import LOCAL
from pipeline.errors import InvalidValue
from pipeline.secrets.rotation import Resealed
from pipeline.store import schema
from pipeline.store.access import Action
from pipeline.store.sql.changes import record_several
from pipeline.store.sql.part import Part
from pipeline.store.sql.revisions import Revision, next_revision

_entry = schema.routing_entry.c


class SqlSealing(Part):
    """`secrets.rotation.SealedSecrets`."""

    def sealed_secrets(self) -> dict[str, str]:
        """The sealed secrets of each target that has any."""
        wanted = select(_entry.name, _entry.secrets).where(_entry.secrets != "")
        with self._database.read() as connection:
            return {row.name: row.secrets for row in connection.execute(wanted)}

    def reseal(self) -> Resealed:
        """Seal all secrets anew, in one transaction; what cannot be opened stays as it is. The
        history tells of it.

        It takes the next revision first, as every change of an entry does: none is sealed with
        an old key meanwhile, and whoever could not open one before tries again.
        """
        wanted = select(_entry.name, _entry.secrets).where(_entry.secrets != "")
        unreadable = []
        with self._database.write() as connection:
            next_revision(connection, Revision.ROUTING)
            rows = connection.execute(wanted.order_by(_entry.name)).all()
            sealed = [row.secrets for row in rows]
            for row in rows:
                try:
                    text = self._sealer.open(row.secrets)
                except InvalidValue:
                    unreadable.append(row.name)
                    continue
                anew = self._sealer.seal(text, sealed)
                change = update(schema.routing_entry).where(_entry.name == row.name)
                connection.execute(change.values(secrets=anew))
            count, at = len(rows) - len(unreadable), self._clock()
            record_several(connection, Action.UPDATE, "secrets", None, count, LOCAL, at)
        return Resealed(count, tuple(unreadable))
