"""SqlStore: everything that is stored, on SQLite and PostgreSQL.

Each module here carries out one of the protocols in `pipeline.store.base`; this one puts them
together. Safe to use from many threads; a process opens one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING

from pipeline.store.database import Database
from pipeline.store.migrate import migrate
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql.alarms import SqlAlarmSource
from pipeline.store.sql.applying import SqlApplying
from pipeline.store.sql.archive import SqlArchive
from pipeline.store.sql.arrivals import SqlArrivals
from pipeline.store.sql.changes import SqlChanges
from pipeline.store.sql.clock import SqlClock
from pipeline.store.sql.deliveries import SqlDeliveries
from pipeline.store.sql.ids import Ids
from pipeline.store.sql.intake import SqlIntake
from pipeline.store.sql.leftovers import SqlRejectedEvents
from pipeline.store.sql.outbox import SqlOutbox
from pipeline.store.sql.part import Plan
from pipeline.store.sql.publications import SqlPublications
from pipeline.store.sql.quotas import SqlQuotas
from pipeline.store.sql.retention import SqlRetention
from pipeline.store.sql.sealing import SqlSealing
from pipeline.store.sql.search import SqlAlarmSearch
from pipeline.store.sql.spared import SqlSpared
from pipeline.store.sql.status import SqlStatus
from pipeline.store.sql.tokens import SqlTokens
from pipeline.store.status import Status

if TYPE_CHECKING:
    from pipeline.store import access, base, managing
    from pipeline.store.applying import Applying
    from pipeline.store.archive import ArchivedEvents
    from pipeline.store.guards import GuardedOutbox
    from pipeline.store.quotas import Quotas
    from pipeline.store.retention import Retention
    from pipeline.store.routing import RoutingEntries, RoutingSource, Sealer


def _now() -> datetime:
    return datetime.now(UTC)


class SqlStore(
    SqlIntake,
    SqlAlarmSource,
    SqlApplying,
    SqlAlarmSearch,
    SqlQuotas,
    SqlOutbox,
    SqlSpared,
    SqlClock,
    SqlDeliveries,
    SqlArrivals,
    SqlRejectedEvents,
    SqlPublications,
    SqlSealing,
    SqlArchive,
    SqlRetention,
    SqlStatus,
    SqlTokens,
    SqlChanges,
):
    """The store: every protocol of `pipeline.store.base`, `.archive`, `.retention`, `.routing`
    and `.access`."""

    @classmethod
    def open(
        cls,
        settings: DatabaseSettings,
        *,
        clock: Callable[[], datetime] = _now,
        new_id: Callable[[], str] | None = None,
        told: Sequence[str] = (),
        sealer: Sealer | None = None,
        plan: Plan | None = None,
    ) -> SqlStore:
        """Connect, and make or upgrade the tables.

        `told` are the publishers (URLs) that are told what becomes of alarms (alarms 25);
        `sealer` keeps the secrets of targets, and without one there can be none. `plan` says where
        the transitions go that people's changes cause; without one, to the alarms' own actions.

        Raises `InvalidValue` for a URL that cannot be used and for tables that are newer than
        this program, `StoreUnavailable` when the database does not answer.
        """
        database = Database.connect(settings)
        try:
            migrate(database)
        except BaseException:
            database.close()
            raise
        return cls(database, clock, new_id or Ids().new, told, sealer, plan)

    @property
    def name(self) -> str:
        """The database as it may be shown: its URL without secrets."""
        return self._database.shown

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite file, which is asked for news and sends none."""
        return self._database.is_sqlite

    def close(self) -> None:
        """Let go of all connections."""
        self._database.close()

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


if TYPE_CHECKING:
    # Nobody is handed some of the protocols alone: here mypy holds the store against all of them.

    def _events_side(
        store: SqlStore,
    ) -> tuple[base.Intake, base.AlarmSource, base.Publications, base.UnpublishedEvents]:
        return store, store, store, store

    def _routing_side(store: SqlStore) -> tuple[RoutingEntries, RoutingSource, Applying]:
        return store, store, store

    def _deliveries_side(
        store: SqlStore,
    ) -> tuple[base.Outbox, GuardedOutbox, base.ArrivalSource, Retention]:
        return store, store, store, store

    def _peoples_side(
        store: SqlStore,
    ) -> tuple[managing.Alarms, managing.AlarmSearch, Quotas]:
        return store, store, store

    def _lookers_side(store: SqlStore) -> tuple[base.RejectedEvents, Status, ArchivedEvents]:
        return store, store, store

    def _access_side(store: SqlStore) -> tuple[access.Tokens, access.Changes]:
        return store, store
