"""The settings `normalise.*`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.options import option

PRIORITIES = ("audit", "debug", "info", "warn", "error", "critical", "sample")
SHIPPED_DEFINITIONS = Path(__file__).parent.parent / "defaults" / "event_definitions.yaml"


@dataclass(frozen=True)
class NormaliseSettings:
    """How notifications become events."""

    definitions: str = option(
        "", "Path of event_definitions.yaml; empty for the one that Tocsin comes with.", path=True
    )
    drop_unmatched_notifications: bool = option(
        False, "Drop (and count) what no definition matches, instead of giving it default traits."
    )
    store_raw: tuple[str, ...] = option(
        (),
        "Priorities whose whole notification is kept with the event, secrets masked.",
        choices=PRIORITIES,
    )
    text_limit: int | None = option(
        None, "Cut text traits after so many characters (Ceilometer: 255); null for no limit.",
        minimum=1,
    )  # fmt: skip

    @property
    def file(self) -> Path:
        """The definitions file that is meant."""
        return Path(self.definitions) if self.definitions else SHIPPED_DEFINITIONS
