"""Routing: the entries in force, ready for the planning of deliveries. Pure.

Made anew whenever an entry has changed. Disabled entries are left out here, so that nobody else
need think of them; a disabled filter holds nothing back.

A matcher all of whose rules must hold is looked at only where the field of one of its `exact`
rules has a value that it asks for: of thousands of matchers a notification meets a few. All others
are looked at each time. `matchers`, all of them, is for explaining, and for the test that holds
both equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache

from pipeline.dispatch.action import named
from pipeline.dispatch.builtins import DEFAULT_MATCHER
from pipeline.dispatch.entries import Entry, FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.dispatch.facts import Facts
from pipeline.dispatch.rules import Exact, Rule, rules_of
from pipeline.errors import InvalidValue
from pipeline.kinds import BUILTIN, Kind, Kinds

_KINDS = Kinds(BUILTIN)


@dataclass(frozen=True, slots=True)
class Matcher:
    """A matcher with its rules ready."""

    entry: MatcherEntry
    rules: tuple[Rule, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.entry.name

    def takes(self, facts: Facts) -> bool:
        """Whether the notification is one of its own. With no rules every one is."""
        if not self.rules:
            return True
        combine = any if self.entry.mode == "any" else all
        return combine(rule.holds(facts) for rule in self.rules) is not self.entry.invert_match


class Routing:
    """The entries in force, as they stood at one moment. Never changes.

    `kinds` say which kinds of notifications matchers see; `zone` is the time zone of calendars.
    `broken` holds the matchers that cannot be used, with the reason: they match nothing, and the
    others go on.
    """

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        kinds: Kinds = _KINDS,
        zone: tzinfo = UTC,
    ) -> None:
        self.zone, self._kinds = zone, kinds
        self.targets: dict[str, TargetEntry] = {}
        self.groups: dict[str, GroupEntry] = {}
        self.filters: dict[str, FilterEntry] = {}
        self.matchers: list[Matcher] = []
        self.default: Matcher | None = None
        self.broken: dict[str, str] = {}
        for entry in sorted(entries, key=lambda entry: entry.name):
            self._take(entry)
        self._indexed: dict[str, dict[str, list[int]]] = {}
        self._others: list[int] = []
        for at, matcher in enumerate(self.matchers):
            self._index(at, matcher)

    def kind(self, id: str) -> Kind:
        """What is known of this kind, its policy above all."""
        return self._kinds.of(id)

    def candidates(self, facts: Facts) -> Sequence[Matcher]:
        """The matchers that may take a notification, by name; all that take it are among them."""
        found = set(self._others)
        for field, by_value in self._indexed.items():
            for text in facts.texts(field):
                found.update(by_value.get(text, ()))
        return [self.matchers[at] for at in sorted(found)]

    def leaves_alone(self, kind: str, severity: str, actions: tuple[str, ...]) -> bool:
        """Whether nothing but these actions, as they are, can come of such a notification.

        So it is for all alarms with plain URLs while nobody has set up anything.
        """
        if _any_named(actions):
            return False
        known = self._kinds.of(kind)
        if not known.policy.lets_through(severity):
            return True
        return bool(actions) and not self.matchers and not known.target

    def _take(self, entry: Entry) -> None:
        match entry:
            case TargetEntry():
                self.targets[entry.name] = entry
            case GroupEntry():
                self.groups[entry.name] = entry
            case FilterEntry() if not entry.disable:
                self.filters[entry.name] = entry
            case MatcherEntry() if not entry.disable:
                self._take_matcher(entry)

    def _take_matcher(self, entry: MatcherEntry) -> None:
        try:
            matcher = Matcher(entry, rules_of(entry))
        except InvalidValue as error:
            self.broken[entry.name] = str(error)
            return
        if entry.name == DEFAULT_MATCHER:
            self.default = matcher
        else:
            self.matchers.append(matcher)

    def _index(self, at: int, matcher: Matcher) -> None:
        exact = next((rule for rule in matcher.rules if isinstance(rule, Exact)), None)
        if exact is None or matcher.entry.mode != "all" or matcher.entry.invert_match:
            self._others.append(at)
            return
        by_value = self._indexed.setdefault(exact.field, {})
        for value in exact.values:
            by_value.setdefault(value, []).append(at)


@lru_cache(maxsize=10_000)
def _any_named(actions: tuple[str, ...]) -> bool:
    return any(named(action, kind) for action in actions for kind in ("target", "group"))
