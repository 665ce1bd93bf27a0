"""Outside: how a process is seen from without; its metrics, health and the server that tells them.

Made by the composition root, which says what the process has: alarms, listeners, a store. Here it
is decided which of their conditions make a process ready, and what is looked up beside what the
parts count by themselves. Nothing here is on an event's way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime
from time import monotonic
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from pipeline import metrics
from pipeline.exposition import Exposition
from pipeline.gauges import BacklogSource, Gauges, StoreLook
from pipeline.health import Health, MetricsSettings
from pipeline.metrics import Metrics
from pipeline.process import Part, Process

_COSTLY_EVERY_SECONDS, _COSTLY_UP_TO = 600.0, 100_000
_PATIENCE_SECONDS = 15.0


class LoadedAlarms(Protocol):
    """What is needed of the alarms in memory (`pipeline.alarms.live.LiveAlarms`)."""

    def __len__(self) -> int: ...

    @property
    def revision(self) -> int: ...

    @property
    def broken(self) -> Any: ...

    def costly(self, limit: int) -> list[tuple[str | None, str, int]]: ...


class Outside:
    """What one process shows. Call `serve` early, `show` once all parts are there."""

    def __init__(self, settings: MetricsSettings, clock: Callable[[], datetime], log: Any) -> None:
        self._settings, self._clock, self._log = settings, clock, log
        self.metrics = Metrics()
        self.gauges = Gauges(settings.refresh_seconds, log)
        self.health = Health(settings.stuck_seconds)

    def serve(self) -> Exposition:
        """Answer from now on, also while the alarms are being loaded. Close it at the end."""
        return _serving(self._settings, self.metrics.registry, self.health, self._log)

    def show(self, process: Process) -> None:
        """Watch the parts of the process, which is about to run."""
        for part in process.parts:
            self.health.watch(part)
        self.health.require("process", lambda: "is ending" if process.draining else "")
        self.health.started(lambda: () if process.draining else process.ended())
        self.gauges.add("process", self._look_at_health)

    def show_store(self, store: BacklogSource) -> None:
        """Be ready only while the store answers."""
        patience = self._settings.refresh_seconds + _PATIENCE_SECONDS
        look = StoreLook(store, self.metrics, self._clock, patience)
        self.gauges.add("store", look)
        self.health.require("database", look.problem)

    def show_listeners(self, listeners: Iterable[Part]) -> None:
        """Be ready only while each listener that can say so is connected to its source."""
        for listener in listeners:
            trouble = getattr(listener, "trouble", None)
            if trouble is not None:
                self.health.require(listener.name, trouble)
                self.gauges.add(listener.name, self._connection_look(listener.name, trouble))
            depths = getattr(listener, "depths", None)
            if depths is not None:
                self.gauges.add(f"{listener.name} queues", self._queue_look(listener.name, depths))

    def show_alarms(self, alarms: LoadedAlarms, unconvertible: Callable[[], Any]) -> None:
        """Look at the alarms, and at what normalising left out. The alarms are loaded."""
        self.gauges.add("alarms", self._alarms_look(alarms))
        self.gauges.add("traits", self._traits_look(unconvertible))

    # --- looks -------------------------------------------------------------------------------

    def _look_at_health(self) -> None:
        self.metrics.ready.set(0 if self.health.unreadiness() else 1)
        for part, seconds in self.health.silences.items():
            self.metrics.silent.labels(part).set(seconds)

    def _connection_look(self, name: str, trouble: Callable[[], str]) -> Callable[[], None]:
        return lambda: self.metrics.connection.labels(name).set(0 if trouble() else 1)

    def _queue_look(self, name: str, depths: Callable[[], Any]) -> Callable[[], None]:
        def look() -> None:
            for queue, messages in depths().items():
                self.metrics.queue.labels(name, queue).set(messages)

        return look

    def _alarms_look(self, alarms: LoadedAlarms) -> Callable[[], None]:
        looked_at, revision = -_COSTLY_EVERY_SECONDS, -1

        def look() -> None:
            nonlocal looked_at, revision
            count = len(alarms)
            self.metrics.alarms.set(count)
            self.metrics.alarms_broken.set(len(alarms.broken))
            self.metrics.alarms_revision.set(alarms.revision)
            # It holds up matching, 0.4 µs an alarm: seldom, and of very many alarms only once.
            due = monotonic() - looked_at >= _COSTLY_EVERY_SECONDS
            if due and alarms.revision != revision and (count <= _COSTLY_UP_TO or revision < 0):
                looked_at, revision = monotonic(), alarms.revision
                self.metrics.costliest.set(max((n for _, _, n in alarms.costly(1)), default=0))

        look()
        return look

    def _traits_look(self, unconvertible: Callable[[], Any]) -> Callable[[], None]:
        of: Any = None
        before: dict[str, int] = {}

        def look() -> None:
            nonlocal of, before
            counts = unconvertible()
            if counts is not of:  # the definitions were read anew, and count from the beginning
                of, before = counts, {}
            now = dict(counts)
            self.metrics.count_unconvertible(now, before)
            before = now

        return look


class WorkersOutside:
    """What the parent of several workers shows: the sum of what they count, and their health.

    Hand `directory` to each worker (`health.DIRECTORY_VARIABLE`), and tell `forget` of each that
    has ended. Close it at the end.
    """

    def __init__(self, settings: MetricsSettings, log: Any) -> None:
        self._kept = tempfile.TemporaryDirectory(prefix="tocsin-metrics-")
        self.directory = self._kept.name
        self._registry = metrics.aggregate(self.directory)
        self._stuck_seconds = settings.stuck_seconds
        self._exposition = _serving(settings, self._registry, self, log)

    def forget(self, pid: int) -> None:
        """A worker has ended."""
        metrics.forget(pid, self.directory)

    def close(self) -> None:
        """Answer no more."""
        self._exposition.close()
        self._kept.cleanup()

    def illness(self) -> dict[str, str]:
        """Parts of a worker that are stuck. A worker that ended is started anew all the same."""
        return {
            labels["part"]: f"has not come round for {seconds:.0f} s"
            for name, labels, seconds in self._samples()
            if name == "tocsin_part_silent_seconds" and seconds > self._stuck_seconds
        }

    def unreadiness(self) -> dict[str, str]:
        """Why the workers are not all ready."""
        ready = [value for name, _, value in self._samples() if name == "tocsin_ready"]
        if not ready:
            return {"workers": "are starting: the alarms are being loaded"}
        return {} if min(ready) == 1 else {"workers": "not every one is ready; see the log"}

    def _samples(self) -> Iterable[tuple[str, dict[str, str], float]]:
        for family in self._registry.collect():
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value


class _Checked(Protocol):
    def illness(self) -> dict[str, str]: ...

    def unreadiness(self) -> dict[str, str]: ...


def _serving(
    settings: MetricsSettings, registry: CollectorRegistry, checked: _Checked, log: Any
) -> Exposition:
    exposition = Exposition(
        settings, registry, illness=checked.illness, unreadiness=checked.unreadiness, log=log
    )
    exposition.start()
    return exposition
