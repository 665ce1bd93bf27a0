"""The rules of a matcher, ready to be held against notifications (notifications 8). Pure.

    match-field     exact:NAME=VALUE,VALUE…   the field has one of these values
                    regex:NAME=PATTERN        its value has a part that the pattern matches
    match-severity  WORD…                     it is one of these; `low` means `notice` too
    match-calendar  TIME…                     it is one of these times

A notification without the field is not matched. Of severities and of times one is enough: they
are one rule, however many are given. Patterns are RE2's, which take time in proportion to the
text and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import re2

from pipeline.dispatch.calendar import Window, window
from pipeline.dispatch.entries import MatcherEntry
from pipeline.dispatch.facts import Facts
from pipeline.errors import InvalidValue
from pipeline.severity import RANKS, checked

_FORMS = "Write exact:NAME=VALUE,VALUE or regex:NAME=PATTERN."
_LONGEST_PATTERN = 1_000


class Rule(Protocol):
    """One rule."""

    @property
    def text(self) -> str:
        """As it was written."""

    def holds(self, facts: Facts) -> bool:
        """Whether the notification is as the rule wants it."""

    def found(self, facts: Facts) -> str:
        """What the notification has, for people."""


@dataclass(frozen=True, slots=True)
class Exact:
    """A field has one of some values."""

    text: str
    field: str
    values: frozenset[str]

    def holds(self, facts: Facts) -> bool:
        """See `Rule`."""
        return not self.values.isdisjoint(facts.texts(self.field))

    def found(self, facts: Facts) -> str:
        """See `Rule`."""
        return _found(self.field, facts)


@dataclass(frozen=True, slots=True)
class Regex:
    """A field's value has a part that the pattern matches."""

    text: str
    field: str
    pattern: Any

    def holds(self, facts: Facts) -> bool:
        """See `Rule`."""
        texts = (text.encode("utf-8", "replace") for text in facts.texts(self.field))
        return any(self.pattern.search(text) is not None for text in texts)

    def found(self, facts: Facts) -> str:
        """See `Rule`."""
        return _found(self.field, facts)


@dataclass(frozen=True, slots=True)
class OfSeverity:
    """The severity is one of some; `ranks` has a word itself where it stands in no order."""

    text: str
    ranks: frozenset[int | str]

    def holds(self, facts: Facts) -> bool:
        """See `Rule`."""
        return RANKS.get(facts.severity, facts.severity) in self.ranks

    def found(self, facts: Facts) -> str:
        """See `Rule`."""
        return f"the severity is {facts.severity}"


@dataclass(frozen=True, slots=True)
class AtTime:
    """It is one of some times."""

    text: str
    windows: tuple[Window, ...]

    def holds(self, facts: Facts) -> bool:
        """See `Rule`."""
        return any(each.holds(facts.local) for each in self.windows)

    def found(self, facts: Facts) -> str:
        """See `Rule`."""
        return f"it is {facts.local.strftime('%a %H:%M').lower()}"


def rules_of(entry: MatcherEntry) -> tuple[Rule, ...]:
    """The rules of a matcher. Raises `InvalidValue` for the first that means nothing."""
    return tuple(_rules(entry))


def field_rule(text: str) -> Exact | Regex:
    """A rule on a field. Raises `InvalidValue` for a text that is none."""
    form, _, rest = text.partition(":")
    name, equals, wanted = rest.partition("=")
    name = name.strip()
    if form not in ("exact", "regex") or not equals or not name:
        raise InvalidValue(f"{text!r} is no rule on a field. {_FORMS}", "match-field")
    if form == "exact":
        return Exact(text, name, frozenset(value.strip() for value in wanted.split(",")))
    return Regex(text, name, _pattern(wanted, text))


def _rules(entry: MatcherEntry) -> Iterator[Rule]:
    yield from map(field_rule, entry.match_field)
    if words := entry.match_severity:
        ranks = frozenset(RANKS.get(word, word) for word in map(checked, words))
        yield OfSeverity(f"severity {','.join(words)}", ranks)
    if times := entry.match_calendar:
        yield AtTime(f"calendar {' or '.join(times)}", tuple(map(window, times)))


def _pattern(wanted: str, text: str) -> Any:
    if len(wanted) > _LONGEST_PATTERN:
        message = f"{text[:40]!r}…: a pattern has at most {_LONGEST_PATTERN} characters."
        raise InvalidValue(message, "match-field")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(wanted.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if isinstance(error, re2.error) else str(error)
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        message = f"{text!r}: the pattern cannot be used: {reason}. Patterns are RE2's."
        raise InvalidValue(message, "match-field") from error


def _found(field: str, facts: Facts) -> str:
    texts = facts.texts(field)
    return f"{field} is {', '.join(map(repr, texts))}" if texts else f"it has no field {field}"
