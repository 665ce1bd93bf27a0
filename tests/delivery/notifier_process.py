"""A notifier as a process of its own, for a test to kill: `python notifier_process.py URL`."""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime

import structlog

from pipeline.notifier import Notifier
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets import Targets
from pipeline.targets.base import Tools
from pipeline.targets.settings import DeliverySettings

QUICK = DeliverySettings(
    connect_timeout_seconds=0.2,
    read_timeout_seconds=0.3,
    lease_seconds=1.0,
    retry_delays_seconds=(0.1,) * 50,
    poll_seconds=0.05,
    breaker_pause_seconds=0.1,
)


def _clock() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    log = structlog.get_logger()
    with SqlStore.open(DatabaseSettings(url=sys.argv[1])) as store:
        Notifier(
            outbox=store,
            targets=Targets(Tools.by(QUICK, _clock, log)),
            settings=QUICK,
            clock=_clock,
            random=random.random,
            log=log,
        ).run()
