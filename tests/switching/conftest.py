"""The commands are tested at both desks here too."""

from __future__ import annotations

from cli.conftest import at

__all__ = ["at"]
