"""A part that ends, of whatever, takes its process down: none works on without it (delivery 1)."""

from __future__ import annotations

import asyncio
import threading

import pytest
import structlog

from pipeline.process import EXIT_FAILED, EXIT_OK, Part, Process


class Works:
    """A part that works until it is stopped."""

    name = "works"

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self.ended_well = False

    def run(self) -> None:
        self.ended_well = self._stopping.wait(30)

    def stop(self) -> None:
        self._stopping.set()


class Breaks(Works):
    """A part that ends with an error."""

    name = "breaks"

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def run(self) -> None:
        raise self._error


def a_process(*parts: Part) -> Process:
    process = Process(log=structlog.get_logger(), drain_seconds=5.0)
    for part in parts:
        process.add_stage([part])
    return process


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), SystemExit(0), asyncio.CancelledError(), GeneratorExit()]
)
def test_part_that_breaks_ends_the_process_as_failed(error: BaseException) -> None:
    works = Works()
    assert a_process(Breaks(error), works).run() == EXIT_FAILED
    assert works.ended_well


def test_process_that_is_stopped_ends_well() -> None:
    works = Works()
    process = a_process(works)
    process.stop()
    assert process.run() == EXIT_OK
    assert works.ended_well
