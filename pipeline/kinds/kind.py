"""A kind of notification: what its fields are, how severe it is, and who is told of it.

The contract of a kind is what templates and matchers rely upon: required fields are there, and
every field is of its type. Values in, values out; called by `tocsin send`, by the planning of
deliveries and by templates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pipeline.errors import InvalidValue, NotFound
from pipeline.kinds.types import TYPES
from pipeline.registry import did_you_mean, one_of
from pipeline.severity import at_least


class Policy(StrEnum):
    """Whether matchers see what is told (notifications 19)."""

    ALWAYS = "always"
    AUTO = "auto"
    NEVER = "never"

    def lets_through(self, severity: str) -> bool:
        """Whether a notification as severe as this is told; `auto`: if at least an error."""
        return self is Policy.ALWAYS or (self is Policy.AUTO and at_least(severity, "error"))


@dataclass(frozen=True, slots=True)
class Field:
    """One field: the name of its type (`pipeline.kinds.types`), and what it is for people."""

    type: str = "text"
    required: bool = True
    description: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is guaranteed of all notifications of one kind.

    `template` is the base name of its templates, `NAME-subject` and `NAME-body`; `title` and
    `body` are templates that stand in place of such files. `target` names who is told beside
    those that matchers name: a target or a group, `''` for none. `extra_fields` says whether
    fields may come along that are not described. `example` are fields as a preview shows them.
    """

    id: str
    description: str = ""
    severity: str = "info"
    policy: Policy = Policy.ALWAYS
    fields: Mapping[str, Field] = field(default_factory=dict)
    template: str = ""
    title: str = ""
    body: str = ""
    target: str = ""
    extra_fields: bool = False
    example: Mapping[str, Any] = field(default_factory=dict)
    builtin: bool = False

    @property
    def template_name(self) -> str:
        """The base name of its templates: as it says, else its own id."""
        return self.template or self.id

    @property
    def example_fields(self) -> Mapping[str, Any]:
        """Fields that keep to the contract, for a preview."""
        if self.example:
            return self.example
        return {name: TYPES[each.type].example for name, each in self.fields.items()}

    def read(self, texts: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that a person typed, each as its type says, checked. What is no text is
        taken as it is.

        Raises `InvalidValue` with all problems.
        """
        values, problems = self._read(texts)
        problems += check(values, self, unread=texts.keys() - values.keys())
        if problems:
            raise InvalidValue(" ".join(problems))
        return values

    def read_some(self, texts: Mapping[str, Any]) -> dict[str, Any]:
        """Some of the fields, for a preview. Raises `InvalidValue` with all problems of these."""
        values, problems = self._read(texts)
        missing = set(self.fields) - texts.keys()
        problems += check(values, self, unread={*(texts.keys() - values.keys()), *missing})
        if problems:
            raise InvalidValue(" ".join(problems))
        return values

    def _read(self, texts: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        values: dict[str, Any] = {}
        problems = []
        for name, text in texts.items():
            described = self.fields.get(name, Field())
            try:
                read = TYPES[described.type].read
                values[name] = read(text) if isinstance(text, str) else text
            except (ValueError, OverflowError, RecursionError):
                problems.append(_unfit(name, described, text))
        return values, problems


class Kinds:
    """All kinds by their ids: those that Tocsin comes with, and those that people registered."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {kind.id: kind for kind in kinds}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def find(self, id: str) -> Kind:
        """The kind of this id. Raises `NotFound`."""
        if id in self._kinds:
            return self._kinds[id]
        raise NotFound(f"Kind {id} not found. {one_of(id, sorted(self._kinds))}")

    def of(self, id: str) -> Kind:
        """The kind of a notification that is there already.

        One whose kind is registered no longer is told like any other, of any fields.
        """
        return self._kinds.get(id) or Kind(id, extra_fields=True)


def check(fields: Mapping[str, Any], kind: Kind, unread: Iterable[str] = ()) -> list[str]:
    """All that keeps a notification's fields from what the kind guarantees; none if it does.

    `unread` are fields that were given, but whose text could not be read.
    """
    problems = []
    given = {*fields, *unread}
    for name, described in kind.fields.items():
        if described.required and name not in given:
            problems.append(f"{name}: is missing; {kind.id} needs it.{_about(described)}")
    for name, value in fields.items():
        if name in kind.fields:
            if not TYPES[kind.fields[name].type].fits(value):
                problems.append(_unfit(name, kind.fields[name], value))
        elif not kind.extra_fields:
            hint = did_you_mean(name, kind.fields)
            known = ", ".join(kind.fields) or "none"
            problems.append(f"{name}: {kind.id} has no such field; it has {known}.{hint}")
    return problems


def _unfit(name: str, described: Field, value: Any) -> str:
    return f"{name}: expects {TYPES[described.type].meaning}, not {value!r:.60}."


def _about(described: Field) -> str:
    text = described.description
    return f" It is {text[0].lower()}{text[1:]}" if text else ""
