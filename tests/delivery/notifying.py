"""What the tests of the notifier share: a clock to step, due deliveries, a notifier at work."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog
from structlog.testing import CapturingLogger

from pipeline.notifier import Notifier
from pipeline.store.sql import SqlStore
from pipeline.targets import Targets
from pipeline.targets.base import Tools
from pipeline.targets.settings import DeliverySettings

from builders import NOON, a_transition, an_alarm, an_event


class Clock:
    """The time, which stands still until it is stepped."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def step(self, **time: float) -> None:
        self.now += timedelta(**time)


def real_clock() -> datetime:
    return datetime.now(UTC)


class Log(CapturingLogger):
    """Keeps every line, with what was bound to it."""

    def bind(self, **bound: Any) -> Any:
        return structlog.wrap_logger(self, processors=[_keep]).bind(**bound)

    def lines(self, event: str) -> list[dict[str, Any]]:
        return [call.kwargs for call in self.calls if call.args[:1] == (event,)]


def _keep(logger: Any, method: str, line: Any) -> Any:
    return (line.pop("event"),), dict(line)


def notifier(
    store: SqlStore,
    *,
    clock: Callable[[], datetime] = real_clock,
    log: Log | None = None,
    targets: Any = None,
    **settings: Any,
) -> Notifier:
    """A notifier with these settings; its jitter is none."""
    chosen = DeliverySettings(**settings)
    log = log or Log()
    return Notifier(
        outbox=store,
        targets=targets or Targets(Tools.by(chosen, clock, log)),
        settings=chosen,
        clock=clock,
        random=lambda: 0.0,
        log=log,
    )


def tell(store: SqlStore, *actions: str, at: datetime = NOON) -> None:
    """Make one delivery due for each action, oldest first."""
    for seconds, action in enumerate(actions):
        alarm = store.create(an_alarm(alarm_actions=(action,), description=action))
        when = at - timedelta(days=1) + timedelta(seconds=seconds)
        with store.begin() as transaction:
            transaction.save_transitions([a_transition(alarm, an_event(), at=when)])


@contextmanager
def outage(database_url: str) -> Iterator[None]:
    """The database takes nothing more while this lasts, and breaks off what is going on."""
    if database_url.startswith("sqlite"):
        with sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=30) as locking:
            locking.execute("BEGIN EXCLUSIVE")
            yield
            locking.rollback()
        locking.close()
        return
    server, _, name = database_url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
