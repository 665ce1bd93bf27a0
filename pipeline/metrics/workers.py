"""Metrics of several workers: they count into files of a directory, a parent tells the sums."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


def aggregate(directory: str) -> CollectorRegistry:
    """A registry over all processes that keep their values in the directory.

    For the parent of several workers: it makes the directory, starts each worker with
    PROMETHEUS_MULTIPROC_DIR set to it, serves this registry, and tells `forget` of each worker
    that has ended.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
    return registry


def forget(pid: int, directory: str) -> None:
    """A worker has ended: what it was the last to say counts no more; its sums stay."""
    mark_process_dead(pid, directory)  # type: ignore[no-untyped-call]
