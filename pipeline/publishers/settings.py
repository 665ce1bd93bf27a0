"""The settings of publishing: what all publishers share, whatever their URLs say."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.options import option


@dataclass(frozen=True, slots=True)
class PublishingSettings:
    """Section `publishing` of the settings."""

    telemetry_secret: str = option(
        "",
        "The secret with which notifier:// signs each event (message_signature), as "
        "`publisher.telemetry_secret` of Ceilometer; events that were normalised elsewhere are "
        "taken only if signed with it. Empty: events are neither signed nor checked.",
        secret=True,
    )
    wait_seconds: float = option(
        0.2,
        "How long a batch waits, once its alarms are written, for its sinks to take its events. "
        "What they do not take in time is kept in the database, and they go on from there.",
        minimum=0,
    )
    publication_events: int = option(
        500, "How many events at most are kept, and tried again, as one publication.", minimum=1
    )
    retry_delays_seconds: tuple[float, ...] = option(
        (1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
        "The pauses after a sink's first failure, the second, and so on; then the last one, for "
        "nothing is given up.",
        minimum=0,
    )
    timeout_seconds: float = option(
        5.0,
        "The longest wait for each answer of a broker that is published to: connecting, "
        "declaring, confirming.",
        minimum=0.1,
    )
