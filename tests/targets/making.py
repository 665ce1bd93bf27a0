"""Makes one target of a type, as its options say, for tests of that type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from structlog.testing import CapturingLogger

from pipeline import targets
from pipeline.targets.base import Target, Tools
from pipeline.targets.settings import DeliverySettings

from builders import NOON
from delivery.receivers import PATIENCE


@contextmanager
def made(type: str, log: Any = None, settings: Any = None, **options: Any) -> Iterator[Target]:
    """A target of the type; `settings` are those of section `delivery`, beside little patience."""
    tools = Tools.by(
        DeliverySettings(**{**PATIENCE, **(settings or {})}),
        lambda: NOON,
        CapturingLogger() if log is None else log,
    )
    target = targets.from_options(type, options, tools)
    try:
        yield target
    finally:
        target.close()
        tools.http.close()


def options_of(type: str, action: str) -> Any:
    """The options that an action stands for, as the type's schema loads them."""
    found = targets.of_type(type)
    return targets.loaded(found, found.options_of(action))
