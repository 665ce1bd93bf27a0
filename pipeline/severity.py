"""Severity: the words for how severe a notification is, and their order (notifications 7).

Proxmox's words and Aodh's stand beside each other; a word is shown as it was given. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.errors import InvalidValue
from pipeline.registry import one_of

UNKNOWN: Final = "unknown"

RANKS: Mapping[str, int] = MappingProxyType(
    {
        "info": 1,
        "notice": 2,
        "low": 2,
        "warning": 3,
        "moderate": 3,
        "error": 4,
        "critical": 5,
    }
)
"""Every word that has a place in the order: the higher, the more severe."""

WORDS: tuple[str, ...] = (*RANKS, UNKNOWN)


def at_least(severity: str, least: str) -> bool:
    """Whether one is as severe as the other, or more. `unknown` has no place in the order."""
    return severity in RANKS and least in RANKS and RANKS[severity] >= RANKS[least]


def same(severity: str, other: str) -> bool:
    """Whether two words mean the same severity: `low` is a `notice`."""
    return RANKS.get(severity, severity) == RANKS.get(other, other)


def checked(word: str) -> str:
    """The word, in lower case. Raises `InvalidValue` when it is none."""
    if (known := word.lower()) in WORDS:
        return known
    raise InvalidValue(f"unknown severity {word!r}. {one_of(word, WORDS)}", "severity")
