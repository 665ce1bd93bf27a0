"""Shapes: schemas → rows of a table, nested fields by their paths: `event_rule.query[].field`.

Pure. For the page at /docs alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

_DEEPEST: Final = 4

Schema = Mapping[str, Any]


class Row(NamedTuple):
    """A field: its path, what it holds in words, whether it must be there, and what it is."""

    path: str
    holds: str
    required: bool
    about: str


class Variant(NamedTuple):
    """One of several forms that a body may have."""

    name: str
    rows: list[Row]


class Shapes:
    """The schemas of one document."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def rows(self, schema: Schema) -> list[Row]:
        """All fields, those inside others behind these."""
        return list(self._rows(schema, "", 0))

    def variants(self, schema: Schema) -> list[Variant]:
        """The forms of which it must have one, such as a target's types."""
        resolved = self._resolved(schema)
        return [
            Variant(
                self._resolved(each)["properties"]["type"]["const"],
                [row for row in self.rows(each) if row.path != "type"],
            )
            for each in resolved.get("oneOf", ())
        ]

    def holds(self, schema: Schema) -> str:
        """What a value is, in words: `text`, `list of texts`, `one of ok, alarm`."""
        schema = self._resolved(schema)
        if "const" in schema:
            return str(schema["const"])
        if "enum" in schema:
            return f"one of {', '.join(str(each) or chr(39) * 2 for each in schema['enum'])}"
        kinds = schema.get("type", "anything")
        words = [
            self._word(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)
        ]
        return " or ".join(words)

    def _word(self, kind: str, schema: Schema) -> str:
        if kind == "array":
            inner = self.holds(schema.get("items", {}))
            return f"list of {inner}s" if inner.isalpha() else f"list, each {inner}"
        names = {"string": "text", "integer": "integer", "boolean": "boolean", "null": "null"}
        return names.get(kind, kind)

    def _rows(self, schema: Schema, path: str, depth: int) -> Iterator[Row]:
        schema = self._resolved(schema)
        needed = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            resolved = self._resolved(field)
            here = f"{path}{name}"
            about = field.get("description") or resolved.get("description") or ""
            yield Row(here, self.holds(field), name in needed, with_default(about, resolved))
            if depth < _DEEPEST:
                items = resolved.get("items")
                inner, mark = (resolved, ".") if items is None else (items, "[].")
                yield from self._rows(inner, f"{here}{mark}", depth + 1)

    def _resolved(self, schema: Schema) -> Schema:
        """The schema that a reference means, with what is said beside it."""
        if reference := schema.get("$ref"):
            return self._schemas[reference.rpartition("/")[2]]
        parts = schema.get("allOf", ())
        if len(parts) == 1:
            rest = {key: value for key, value in schema.items() if key != "allOf"}
            return {**self._resolved(parts[0]), **rest}
        return schema


def with_default(about: str, schema: Schema) -> str:
    """What a field is, with what it is where it is not given."""
    default = schema.get("default")
    if default in (None, "", [], {}):
        return about
    word = str(default).lower() if isinstance(default, bool) else str(default)
    return f"{about} Without it: {word}.".strip()
