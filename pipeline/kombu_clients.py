"""Which package has the client that one of kombu's transports needs, for whoever lacks it."""

from __future__ import annotations

MISSING = (ImportError, NameError)
"""What kombu raises without it; NameError: `confluentkafka`."""

_REDIS = "tocsin[redis]"
_PACKAGES = {
    "kafka": "kombu[confluentkafka]",
    "redis": _REDIS,
    "rediss": _REDIS,
    "sentinel": _REDIS,
    "valkey": _REDIS,
}


def package_for(scheme: str) -> str:
    """What to give to `pip install`."""
    return _PACKAGES.get(scheme, f"kombu[{scheme}]")
