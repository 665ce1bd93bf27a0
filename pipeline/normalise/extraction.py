"""Traits → one function that takes them all out of a document.

This runs for every event, so the function is written out as Python source once for a definition:
an object that several paths go through is fetched once, and a text that needs no conversion costs
one lookup, one check and one store. Names from the file enter the source through `repr` only;
everything else that a trait needs is handed to the function as an object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pipeline.envelope.decoding import storable_text
from pipeline.event import TraitType, TraitValue
from pipeline.normalise.fields import MISFITS, Field, PlainField, item
from pipeline.normalise.traits import CONVERSIONS, Trait

Values: TypeAlias = dict[str, TraitValue]
Extract: TypeAlias = Callable[[Mapping[str, Any]], Values]
Find: TypeAlias = Callable[[Mapping[str, Any]], Any]


def extractor(
    traits: Sequence[Trait], unconvertible: Counter[str], text_limit: int | None = None
) -> Extract:
    """The function that gives the traits' values of a document, without those that are not there.

    Counts in `unconvertible`, by trait name, each value that was there but did not convert.
    """
    return _Source(unconvertible, text_limit).function(traits)


class _Source:
    """The lines of one function, and the objects that its lines name."""

    def __init__(self, unconvertible: Counter[str], text_limit: int | None) -> None:
        self.unconvertible = unconvertible
        self.text_limit = text_limit
        self.lines: list[str] = []
        self.objects: dict[str, Any] = {"nothing": {}.get, "item": item}
        self.nodes: dict[tuple[str | int, ...], str] = {(): "document"}
        self.getters: dict[tuple[str | int, ...], str] = {}

    def function(self, traits: Sequence[Trait]) -> Extract:
        for trait in traits:
            self._trait(trait)
        body = "\n    ".join(["values = {}", *self.lines, "return values"])
        source = f"def extract(document):\n    {body}\n"
        exec(compile(source, "<extract>", "exec"), self.objects)
        extract: Extract = self.objects["extract"]
        return extract

    # --- traits

    def _trait(self, trait: Trait) -> None:
        if not trait.fields:
            self.lines.append(f"values[{trait.name!r}] = {self._named(trait.constant)}")
        elif trait.plugin is None and all(isinstance(f, PlainField) for f in trait.fields):
            self._first(trait.fields)
            self._store(trait, computed=False)
        else:
            find = _plugged(trait) if trait.plugin else _searched(trait)
            counted = _counting(find, trait.name, self.unconvertible)
            self.lines.append(f"v = {self._named(counted)}(document)")
            self._store(trait, computed=True)

    def _first(self, fields: Sequence[Field]) -> None:
        """`v` becomes the first of these plain fields that is not null."""
        for position, field in enumerate(fields):
            value = self._value(field)
            self.lines.append(f"if v is None: v = {value}" if position else f"v = {value}")

    def _store(self, trait: Trait, computed: bool) -> None:
        put = self._named(self._put(trait, computed))
        if trait.type is TraitType.TEXT and not computed:
            cut = f"[:{self.text_limit}]" if self.text_limit else ""
            self.lines += [
                f"if v.__class__ is str: values[{trait.name!r}] = v{cut}",
                f"elif v is not None: {put}(values, v)",
            ]
        else:
            self.lines.append(f"if v is not None: {put}(values, v)")

    def _put(self, trait: Trait, computed: bool) -> Callable[[Values, Any], None]:
        name, limit = trait.name, self.text_limit
        convert, unconvertible = CONVERSIONS[trait.type], self.unconvertible

        def put_text(values: Values, value: Any) -> None:
            try:
                text = str(convert(value))
            except MISFITS:
                unconvertible[name] += 1
            else:
                # A document's text is storable; what was computed from it may not be.
                values[name] = (storable_text(text) if computed else text)[:limit]

        def put(values: Values, value: Any) -> None:
            if value == "":
                # Nova and others write '' for null in what is no text.
                return
            try:
                values[name] = convert(value)
            except MISFITS:
                unconvertible[name] += 1

        return put_text if trait.type is TraitType.TEXT else put

    # --- the way to a value

    def _value(self, field: Field) -> str:
        assert isinstance(field, PlainField)
        *way, last = field.steps
        value = self._step(tuple(way), last)
        return f"{self._named(field.split)}({value})" if field.split else value

    def _step(self, way: tuple[str | int, ...], step: str | int) -> str:
        if isinstance(step, int):
            return f"item({self._node(way)}, {step})"
        return f"{self._getter(way)}({step!r})"

    def _node(self, way: tuple[str | int, ...]) -> str:
        """The variable with the value at the end of a way."""
        if way not in self.nodes:
            value = self._step(way[:-1], way[-1])
            self.nodes[way] = f"n{len(self.nodes)}"
            self.lines.append(f"{self.nodes[way]} = {value}")
        return self.nodes[way]

    def _getter(self, way: tuple[str | int, ...]) -> str:
        """The variable with the `get` of the object at the end of a way."""
        if way not in self.getters:
            node = self._node(way)
            self.getters[way] = f"g{len(self.getters)}"
            self.lines.append(
                f"{self.getters[way]} = {node}.get if {node}.__class__ is dict else nothing"
            )
        return self.getters[way]

    def _named(self, value: Any) -> str:
        name = f"o{len(self.objects)}"
        self.objects[name] = value
        return name


# --- what is not plain -----------------------------------------------------------------------


def _searched(trait: Trait) -> Find:
    def find(document: Mapping[str, Any]) -> Any:
        found = (field.first(document) for field in trait.fields)
        return next((value for value in found if value is not None), None)

    return find


def _plugged(trait: Trait) -> Find:
    plugin = trait.plugin
    assert plugin is not None

    def find(document: Mapping[str, Any]) -> Any:
        matches = [match for field in trait.fields for match in field.matches(document)]
        values = plugin.trait_values(matches) or ()
        return next((value for value in values if value is not None), None)

    return find


def _counting(find: Find, name: str, unconvertible: Counter[str]) -> Find:
    def counted(document: Mapping[str, Any]) -> Any:
        try:
            return find(document)
        except Exception:  # noqa: BLE001 -- plugins are anybody's code: the event must survive it
            unconvertible[name] += 1
            return None

    return counted
