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
        "`publisher.telemetry_secret` of Ceilometer. Empty: events are not signed.",
        secret=True,
    )
    timeout_seconds: float = option(
        5.0,
        "The longest wait for each answer of a broker that is published to: connecting, "
        "declaring, confirming.",
        minimum=0.1,
    )
