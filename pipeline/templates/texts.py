"""Texts fit to be sent, and values fit to be put into words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_LONGEST_LINE: Final = 500
_LONGEST_TEXT: Final = 50_000
_MOST: Final = 400_000
_DEEPEST: Final = 20
# Tabs and line ends stay; other control characters are seen by no person, and heeded by terminals.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without control characters, its line ends as `\\n`."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """A subject: line ends become spaces (notifications 15), and it is not endlessly long."""
    line = clean(" ".join(part.strip() for part in text.splitlines())).strip()
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


def fitting(value: Any) -> Any:
    """The value, cut down where it is too long, too deep or too much to be read by a person."""
    return _Fitting().fit(value, _DEEPEST)


class _Fitting:
    def __init__(self) -> None:
        self._left = _MOST

    def fit(self, value: Any, levels: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        self._left -= 8
        if isinstance(value, Mapping):
            return self._within(levels) or {
                self._text(str(key)): self.fit(each, levels - 1)
                for key, each in value.items()
                if self._left > 0
            }
        if isinstance(value, (list, tuple)):
            return self._within(levels) or [
                self.fit(each, levels - 1) for each in value if self._left > 0
            ]
        if isinstance(value, int) and value.bit_length() > 1_000:
            return "…"
        return value

    def _within(self, levels: int) -> str:
        return "" if levels > 0 else "…"

    def _text(self, text: str) -> str:
        most = max(min(_LONGEST_TEXT, self._left), 0)
        self._left -= len(text) + 8
        return text if len(text) <= most else f"{text[:most]}…"
