"""Health: is this process alive, and is it ready? The answers of /healthz and /readyz.

*Alive* means that no part has ended or is stuck, so that starting anew would not help; a database
or broker that is away does not count. *Ready* means that it can do its work now: alarms loaded,
database and broker reached. The composition root names the conditions; the server of
`pipeline.exposition` asks, from its own threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.observer import Pulse
from pipeline.options import option

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the directory in which prometheus_client keeps what the workers of one parent count."""

_FIRST_PORT, _LAST_PORT = 9464, 9479


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """How a process is seen from outside."""

    enabled: bool = option(True, "Serve /metrics, /healthz and /readyz.")
    host: str = option("127.0.0.1", "The address to serve them on; 0.0.0.0 or :: for all.")
    port: int | None = option(
        None,
        "The port to serve them on; 0 for any that is free. Unset: the first free one of "
        "9464 to 9479, so that several processes may share a machine; the log says which.",
        minimum=0,
    )
    refresh_seconds: float = option(
        10.0,
        "How often a process looks up what it does not count itself: what waits in the queues "
        "and in the database.",
        minimum=0.1,
    )
    stuck_seconds: float = option(
        120.0,
        "/healthz fails when a part of the process has not come round its loop for so long.",
        minimum=1,
    )


def ports(settings: MetricsSettings) -> Sequence[int]:
    """The ports that are tried one after the other; where none is free, any other is taken."""
    if settings.port is not None:
        return [settings.port]
    return range(_FIRST_PORT, _LAST_PORT + 1)


Condition = Callable[[], str]
"""Says what is wrong, in a few words; `''` when all is well."""


class Watched(Protocol):
    """What is looked at of a process's part: a part without a pulse is only known to run."""

    @property
    def name(self) -> str:
        """For people."""


class Health:
    """What is known of a process. Safe to use from any thread."""

    def __init__(self, stuck_seconds: float) -> None:
        self._stuck_seconds = stuck_seconds
        self._conditions: dict[str, Condition] = {}
        self._ended: Callable[[], Sequence[str]] = tuple
        self._pulses: dict[str, Pulse] = {}
        self._starting = True

    def watch(self, part: Watched) -> None:
        """Look at the part's pulse, if it has one."""
        pulse = getattr(part, "pulse", None)
        if isinstance(pulse, Pulse):
            self._pulses[part.name] = pulse

    def require(self, name: str, condition: Condition) -> None:
        """Be ready only while the condition finds nothing wrong."""
        self._conditions[name] = condition

    def started(self, ended: Callable[[], Sequence[str]]) -> None:
        """The parts run; `ended` names those that do not any more."""
        for pulse in self._pulses.values():
            pulse.beat()
        self._starting, self._ended = False, ended

    @property
    def silences(self) -> Mapping[str, float]:
        """For how long each part with a pulse has not come round, in seconds."""
        return {name: pulse.silent_seconds for name, pulse in self._pulses.items()}

    def illness(self) -> dict[str, str]:
        """What only a new start can mend, by part; empty while the process is alive."""
        if self._starting:
            return {}
        ill = dict.fromkeys(self._ended(), "has ended")
        for name, seconds in self.silences.items():
            if seconds > self._stuck_seconds:
                ill.setdefault(name, f"has not come round for {seconds:.0f} s")
        return ill

    def unreadiness(self) -> dict[str, str]:
        """Why the process cannot do its work now, by condition; empty when it is ready."""
        if self._starting:
            return {"process": "is starting: the alarms are being loaded"}
        found = {name: condition() for name, condition in self._conditions.items()}
        return self.illness() | {name: problem for name, problem in found.items() if problem}
