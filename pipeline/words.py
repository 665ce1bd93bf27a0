"""Words that OpenStack takes for true and false, in alarms' queries and publishers' URLs."""

from __future__ import annotations

_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_FALSE = frozenset({"0", "f", "false", "off", "n", "no"})


def truth(word: str) -> bool | None:
    """What the word says, in any case and with spaces around it; None when it says neither."""
    plain = word.strip().lower()
    return True if plain in _TRUE else False if plain in _FALSE else None
