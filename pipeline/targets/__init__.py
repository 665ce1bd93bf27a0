"""… DELIVERED: each target turns a notification into what its receiver understands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pipeline import registry
from pipeline.dispatch import scheme
from pipeline.targets.base import Target, Tools
from pipeline.targets.http import HttpSender
from pipeline.targets.settings import DeliverySettings

GROUP = "tocsin.targets"


class Targets:
    """The installed targets, each made once, when it is first asked for."""

    def __init__(
        self, settings: DeliverySettings, *, clock: Callable[[], datetime], log: Any
    ) -> None:
        self._tools = Tools(http=HttpSender(settings, clock), log=log)
        self._made: dict[Callable[[Tools], Target], Target] = {}
        self._lock = threading.Lock()

    def for_action(self, action: str) -> Target:
        """The target that serves the action's scheme. Raises `InvalidValue` when none does."""
        make: Callable[[Tools], Target] = registry.find(GROUP, scheme(action))
        with self._lock:
            if make not in self._made:
                self._made[make] = make(self._tools)
            return self._made[make]

    def close(self) -> None:
        """Let go of all connections."""
        for target in self._made.values():
            target.close()
        self._tools.http.close()


def schemes() -> list[str]:
    """The URL schemes that actions may have, sorted."""
    return registry.names(GROUP)
