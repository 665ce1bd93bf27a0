"""`make bench`: every benchmark, one after the other, and what they found as RESULTS.md.

Each benchmark is a process of its own, shows its tables as it goes, and keeps its rows in a file
of this run's; RESULTS.md is written from that file, so that all of it is from one run. One that
fails is named there, and the run exits 1.

    python -m benchmarks [NAME …]        without a name: all of them
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pika
import psycopg

import pipeline
from benchmarks.listening_queue import URL
from benchmarks.surroundings import POSTGRESQL
from benchmarks.tables import ROWS_FILE, as_markdown, read_rows, tables

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("RESULTS.md")
BENCHMARKS = (
    "matching",
    "peers",
    "listening",
    "scaling",
    "firing",
    "notifying",
    "latency",
    "starting",
)


def main(names: Sequence[str]) -> int:
    """Run these benchmarks, or all; the exit code."""
    if {"-h", "--help"} & set(names):
        print(
            f"python -m benchmarks [NAME …]: {', '.join(BENCHMARKS)}; without a name all of them,"
        )
        print(f"which writes {RESULTS.relative_to(ROOT)}.")
        return 0
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}. There are {', '.join(BENCHMARKS)}.")
        return 2
    failed: list[str] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        rows.touch()
        for name in names or BENCHMARKS:
            print(f"\n=== {name}", flush=True)
            done = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}"],
                env={**os.environ, ROWS_FILE: str(rows)},
                cwd=ROOT,
                check=False,
            )
            if done.returncode:
                failed.append(name)
        if not names:
            minutes = (time.monotonic() - began) / 60
            RESULTS.write_text(_results(rows, failed, minutes))
            print(f"\nwritten: {RESULTS.relative_to(ROOT)}")
    return 1 if failed else 0


def _results(rows: Path, failed: Sequence[str], minutes: float) -> str:
    parts = [
        "# What was measured\n\n"
        "Written by `make bench` from one run. Each figure is the median of its rounds, with the\n"
        "least and the most in parentheses. Ratios are of contenders that were measured beside\n"
        "each other in the same round; absolute figures are of this machine at that moment. What\n"
        "each table measures, and how, is said at the top of its benchmark, in this folder.",
        "\n".join(f"- {what}: {value}" for what, value in _surroundings(minutes).items()),
    ]
    if failed:
        parts.append(f"**Failed, and so not shown:** {', '.join(failed)}.")
    for name, table in tables(read_rows(rows)).items():
        parts.append(f"## {name[0].upper()}{name[1:]}\n\n{as_markdown(table)}")
    return "\n\n".join(parts) + "\n"


def _surroundings(minutes: float) -> Mapping[str, str]:
    """What the figures are of."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "Tocsin": pipeline.__version__,
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "time taken": f"{minutes:.0f} minutes",
        "machine": f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB,"
        f" {platform.system()}",
        "Python": platform.python_version(),
        "RabbitMQ": _rabbitmq(),
        "PostgreSQL": _postgresql(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _rabbitmq() -> str:
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        properties = connection._impl.server_properties
    return f"{properties['version']}, on loopback"


def _postgresql() -> str:
    with psycopg.connect(POSTGRESQL, connect_timeout=5) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    assert row is not None
    return f"{row[0]}, on loopback"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
