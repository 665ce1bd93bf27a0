"""What Aodh's API can do here, in the words in which Aodh tells its clients (alarms 17)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CAPABILITIES: Mapping[str, Mapping[str, bool]] = MappingProxyType(
    {
        "api": {
            "alarms:history:query:complex": True,
            "alarms:history:query:simple": True,
            "alarms:query:complex": True,
            "alarms:query:simple": True,
        },
        "alarm_storage": {"storage:production_ready": True},
    }
)
