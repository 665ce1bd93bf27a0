"""Diff: what an apply changes, for people: unified, in YAML, without secrets. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from pipeline.masking import MASK

_CONTEXT: Final = 3
_CHANGED: Final = " (changed)"

Form = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is made (`before` is None), changed or deleted (`after` is None).

    Each form twice: as it is, and as it may be shown.
    """

    kind: str
    name: str
    before: tuple[Form, Form] | None
    after: tuple[Form, Form] | None

    @property
    def word(self) -> str:
        """What is done to it."""
        if self.before is None:
            return "create"
        return "delete" if self.after is None else "change"

    def lines(self) -> list[str]:
        """The unified diff."""
        title = f"{self.kind} {self.name}"
        before = _yaml(self.before[1]) if self.before else []
        after = _yaml(self._noted()) if self.after else []
        names = ("nothing" if not before else title, "nothing" if not after else title)
        return list(difflib.unified_diff(before, after, *names, lineterm="", n=_CONTEXT))

    def _noted(self) -> Any:
        """What comes, with a note at each secret that is another than before."""
        assert self.after is not None
        known = set(_texts(self.before[0])) if self.before else None
        return _with_notes(*self.after, known)


def _with_notes(clear: Any, shown: Any, known: set[str] | None) -> Any:
    if isinstance(shown, Mapping) and isinstance(clear, Mapping):
        return {name: _with_notes(clear.get(name), shown[name], known) for name in shown}
    if isinstance(shown, list) and isinstance(clear, list) and len(shown) == len(clear):
        return [_with_notes(*each, known) for each in zip(clear, shown, strict=True)]
    if isinstance(shown, str) and MASK in shown and known is not None and clear not in known:
        return shown + _CHANGED
    return shown


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _yaml(form: Any) -> list[str]:
    return yaml.safe_dump(
        form, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000
    ).splitlines()
