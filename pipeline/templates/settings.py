"""The settings `templates.*`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.options import option

SHIPPED_TEMPLATES = Path(__file__).parent / "shipped"


@dataclass(frozen=True, slots=True)
class TemplatesSettings:
    """Section `templates` of the settings."""

    directory: str = option(
        "",
        "A directory with templates of your own, which go before those that Tocsin comes with."
        " Changes in it are noticed.",
        path=True,
    )
