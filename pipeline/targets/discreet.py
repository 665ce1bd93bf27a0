"""DiscreetTarget: a target whose options hold what was looked up, which no outcome may tell.

A target hides its own secrets. What came out of the environment or of a file may stand in any
option, so it is hidden here, around the target whatever its type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pipeline.hiding import hidden, spellings
from pipeline.notification import Delivery, Outcome
from pipeline.targets.base import Target, heeds_guard

_TOLD = ("reason", "note", "response_head")


class DiscreetTarget:
    """The target, with `***` in its outcomes wherever one of these secrets was."""

    def __init__(self, target: Target, secrets: Iterable[str]) -> None:
        self._target, self._spelled = target, spellings(secrets)
        self.heeds_guard = heeds_guard(target)

    def deliver(self, delivery: Delivery) -> Outcome:
        """Tell it, and hide what it says of the secrets."""
        outcome = self._target.deliver(delivery)
        said: dict[str, Any] = {
            name: hidden(text, self._spelled)
            for name in _TOLD
            if (text := getattr(outcome, name, ""))
        }
        return replace(outcome, **said)

    def close(self) -> None:
        """Let go of what is not in use."""
        self._target.close()
