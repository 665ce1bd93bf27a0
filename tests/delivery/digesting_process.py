"""Two notifiers' worth of claiming for a target that storms, for a test to kill:
`python digesting_process.py URL`. It combines as fast as it can, by a clock that runs ahead."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from pipeline.dispatch.guards import Limit
from pipeline.guards import PaceRules
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

PACES = {"target:mail": PaceRules(storm=Limit(1, timedelta(seconds=1)))}

if __name__ == "__main__":
    with SqlStore.open(DatabaseSettings(url=sys.argv[1])) as store:
        now = datetime.now(UTC)
        print("ready", flush=True)
        while True:
            now += timedelta(seconds=1)
            store.claim_paced(PACES, 5, timedelta(seconds=30), now)
