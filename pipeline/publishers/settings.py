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
    timeout_seconds: float = option(
        5.0,
        "The longest wait for each answer of a broker that is published to: connecting, "
        "declaring, confirming.",
        minimum=0.1,
    )
