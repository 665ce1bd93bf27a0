"""Runs Tocsin with a wall clock that a test sets while it runs.

    python jumping_clock.py FILE listener      # FILE holds how many seconds the clock is ahead

Stands in for a machine whose clock is set. Everything in Tocsin that asks what time it is asks
`Application.clock`; waits are by the monotonic clock, which no setting moves.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.app import Application
from pipeline.cli.main import main


def set_ahead(path: Path, seconds: float) -> None:
    """Let the clock be ahead by so much (or behind, if negative) from now on."""
    new = path.with_suffix(".new")
    new.write_text(repr(seconds))
    os.replace(new, path)


def run(path: Path) -> None:
    """`main`, under the clock of the file."""

    def clock(self: Application) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(path.read_text()))

    Application.clock = clock  # type: ignore[method-assign]
    main()


if __name__ == "__main__":
    run(Path(sys.argv.pop(1)))
