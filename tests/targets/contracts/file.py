"""A file: there is nobody to fail but the disk, of which test_file.py has more."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from targets.contract import EXPECTED, Contract, Options


@contextmanager
def _works() -> Iterator[Options]:
    with tempfile.TemporaryDirectory() as folder:
        yield {"path": f"{folder}/told.json"}


CONTRACT = Contract(
    scenes={"works": _works},
    not_applicable=dict.fromkeys(EXPECTED.keys() - {"works"}, "there is no receiver to fail"),
    actions=("file:///var/log/tocsin/told.json?max_bytes=1000&backup_count=3",),
)
