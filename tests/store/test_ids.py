"""Ids are UUIDs of version 7: they sort by time, and none is given twice."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from pipeline.store.sql.ids import Ids

MANY = 2_000


def test_an_id_is_a_uuid_of_version_7_that_tells_the_time() -> None:
    before = time.time_ns() // 1_000_000
    ids = Ids()
    made = [uuid.UUID(ids.new()) for _ in range(MANY)]
    after = time.time_ns() // 1_000_000

    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert all(before <= one.int >> 80 <= after for one in made)


def test_an_id_is_spelled_as_uuids_are() -> None:
    made = Ids().new()

    assert made == str(uuid.UUID(made))


def test_threads_get_no_id_twice() -> None:
    ids, start = Ids(), threading.Barrier(8)

    def take(_: int) -> list[str]:
        start.wait()
        return [ids.new() for _ in range(MANY)]

    with ThreadPoolExecutor(8) as threads:
        made = [one for some in threads.map(take, range(8)) for one in some]

    assert len(set(made)) == 8 * MANY


def test_a_forked_process_gets_others_than_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=60
    )
    chances = [line[14:] for line in done.stdout.split()]

    assert len(chances) == len(set(chances)) == 2 * 50


FORK = """
import os, sys
from pipeline.store.sql.ids import Ids
ids = Ids()
ids.new()  # so that there is chance left over
child = os.fork()
sys.stdout.write("".join(f"{ids.new()}\\n" for _ in range(50)))
sys.stdout.flush()
if child:
    os.waitpid(child, 0)
"""
