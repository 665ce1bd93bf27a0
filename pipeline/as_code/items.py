"""Item: one alarm, target, group, filter or matcher as somebody wrote it, and where. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pipeline.errors import Problem

LISTS: Final[Mapping[str, str]] = {
    "alarms": "alarm",
    "targets": "target",
    "groups": "group",
    "filters": "filter",
    "matchers": "matcher",
}
"""The lists that a file may hold, and what is in each."""

Path: TypeAlias = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class Item:
    """What was written: `kind` is one of the words of `LISTS`, `data` has the properties.

    `place` makes a problem of a path inside `data` and a message.
    """

    kind: str
    data: Mapping[str, Any]
    place: Callable[[Path, str], Problem]

    @property
    def name(self) -> str:
        """Its name, `''` where it has none."""
        name = self.data.get("name")
        return name if isinstance(name, str) else ""

    def problems(self, messages: Mapping[str, Any]) -> list[Problem]:
        """The problems in marshmallow's nested messages."""
        return [self.problem(path, text) for path, text in _flat(messages, ())]

    def problem(self, path: Path, message: str) -> Problem:
        """A problem with the value at `path`; hyphens and underscores in it are the same."""
        if path and isinstance(first := path[0], str):
            spelled = {key.replace("-", "_"): key for key in self.data if isinstance(key, str)}
            path = (spelled.get(first.replace("-", "_"), first), *path[1:])
        return self.place(path, message)


def _flat(messages: Any, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(messages, Mapping):
        return [
            found
            for step, inner in messages.items()
            for found in _flat(inner, path if step == "_schema" else (*path, step))
        ]
    if isinstance(messages, str):
        return [(path, messages)]
    return [found for inner in messages for found in _flat(inner, path)]
