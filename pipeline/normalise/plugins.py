"""Trait plugins: they make a trait's value out of what its fields matched (events-in 19).

A plugin is a class, an entry point of the group `tocsin.trait_plugins`. It is constructed with
the `parameters` of the definition as keyword arguments, and raises `InvalidValue` (with `field`)
for a parameter that does not fit. `trait_values(matches)` is called for every event, also when
nothing matched; the first value that is not None becomes the trait. Trait plugins written for
Ceilometer have the same two methods and work unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from pipeline.envelope import moment
from pipeline.errors import InvalidValue

Matches: TypeAlias = Sequence[tuple[str, Any]]


class TraitPlugin(Protocol):
    """What every plugin does."""

    def trait_values(self, matches: Matches) -> Sequence[Any] | None:
        """Values for the trait from (field path, value) pairs; never a null among those."""


class Split:
    """One piece of each text: `split(separator=".", segment=0, max_split)`."""

    def __init__(
        self, separator: str = ".", segment: int = 0, max_split: int | None = None, **_: Any
    ) -> None:
        if not isinstance(separator, str) or not separator:
            raise InvalidValue(f"{separator!r} is not a text to split at.", "separator")
        self.separator = separator
        self.segment = _integer(segment, "segment")
        self.max_split = -1 if max_split is None else _integer(max_split, "max_split")

    def trait_values(self, matches: Matches) -> Sequence[Any]:
        """The piece of each value, None where there is none."""
        return [self._piece(str(value)) for _, value in matches]

    def _piece(self, text: str) -> str | None:
        pieces = text.split(self.separator, self.max_split)
        try:
            return pieces[self.segment]
        except IndexError:
            return None


class Bitfield:
    """An integer whose bits say what was there: `bitfield(initial_bitfield=0, flags)`.

    A flag is `{path, bit, value?}`: its bit is set if the field at `path` has the value, or
    without `value` if the field is there at all. A flag's `path` must be among the `fields`.
    """

    def __init__(
        self,
        initial_bitfield: int = 0,
        flags: Sequence[Mapping[str, Any]] | None = None,
        **_: Any,
    ) -> None:
        self.initial_bitfield = _integer(initial_bitfield, "initial_bitfield")
        if not isinstance(flags or [], list):
            raise InvalidValue("the flags are not a list of {path, bit, value}.", "flags")
        self.flags = [self._flag(flag) for flag in flags or []]

    def trait_values(self, matches: Matches) -> Sequence[Any]:
        """The one integer."""
        found = dict(matches)
        bits = self.initial_bitfield
        for path, bit, *value in self.flags:
            if path in found and (not value or found[path] == value[0]):
                bits |= bit
        return [bits]

    @staticmethod
    def _flag(flag: Any) -> tuple[Any, ...]:
        if not isinstance(flag, Mapping) or not {"path", "bit"} <= flag.keys():
            raise InvalidValue(f"{flag!r} is not a flag of {{path, bit, value}}.", "flags")
        bit = _integer(flag["bit"], "flags")
        if not 0 <= bit <= 1000:
            raise InvalidValue(f"{bit} is not a bit from 0 to 1000.", "flags")
        return (flag["path"], 1 << bit, *([flag["value"]] if "value" in flag else []))


class Timedelta:
    """The seconds between two times, never negative. Takes exactly two fields."""

    def __init__(self, **_: Any) -> None:
        pass

    def trait_values(self, matches: Matches) -> Sequence[Any]:
        """The seconds; None unless there are two times."""
        if len(matches) != 2:
            return [None]
        (_, start), (_, end) = matches
        try:
            return [abs((moment(end) - moment(start)).total_seconds())]
        except ValueError:
            return [None]


class Map:
    """Another value for each value: `map(values, default, case_sensitive=true)`."""

    def __init__(
        self,
        values: Mapping[Any, Any] | None = None,
        default: Any = None,
        case_sensitive: bool = True,
        **_: Any,
    ) -> None:
        if not values or not isinstance(values, Mapping):
            raise InvalidValue("needs what each value becomes, as {from: to}.", "values")
        self.case_sensitive = bool(case_sensitive)
        self.values = {self._key(key): value for key, value in values.items()}
        self.default = default

    def trait_values(self, matches: Matches) -> Sequence[Any]:
        """What each value becomes; the default for one that is not in the table."""
        return [self._mapped(value) for _, value in matches]

    def _mapped(self, value: Any) -> Any:
        # Objects and lists cannot be keys, so they are not in the table.
        in_table = not isinstance(value, (dict, list))
        return self.values.get(self._key(value), self.default) if in_table else self.default

    def _key(self, key: Any) -> Any:
        return key if self.case_sensitive or not isinstance(key, str) else key.casefold()


def _integer(value: Any, name: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"{value!r} is not an integer.", name) from error
