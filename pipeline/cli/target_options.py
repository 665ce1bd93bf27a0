"""The options of a target as people type them: `--set KEY=VALUE`, each as its type has it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from marshmallow import fields

from pipeline.errors import InvalidValue
from pipeline.registry import one_of
from pipeline.targets import fields_of

_AT = "@"
_PAIR = re.compile(r"(?P<name>[^=:]*[^=:\s])\s*(?:(?:=|:\s*)(?P<value>.*))?", re.DOTALL)


def read(type: str, given: Sequence[str]) -> dict[str, Any]:
    """The options that `KEY=VALUE` texts say. A value `@FILE` is what the file holds, `@-` what
    standard input does; `@@…` begins with one @.

    What may be said several times makes a list, and `KEY=NAME=VALUE` where the option has names.
    Raises `InvalidValue`.
    """
    known = {name.replace("_", "-"): field for name, field in fields_of(type).items()}
    texts: dict[str, list[str]] = {}
    for text in given:
        key, equals, value = text.partition("=")
        name = key.strip().replace("_", "-")
        if not equals:
            raise InvalidValue(f"--set {key!r} has no value. Write --set KEY=VALUE.", key)
        if name not in known:
            hint = one_of(name, known) if known else "It has none."
            raise InvalidValue(f"{type} has no option {key!r}. {hint}", key)
        texts.setdefault(name, []).append(_value(value, name))
    return {name: _made(name, values, known[name]) for name, values in texts.items()}


def _value(text: str, name: str) -> str:
    if not text.startswith(_AT):
        return text
    if text.startswith(_AT * 2):
        return text[1:]
    try:
        read = sys.stdin.read() if text == f"{_AT}-" else Path(text[1:]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"--set {name}={text}: the file cannot be read: {reason}"
        raise InvalidValue(f"{message}. Write @@ for a value that begins with @.", name) from error
    return read.removesuffix("\n")


def _made(name: str, values: list[str], field: Any) -> Any:
    if values == [""]:
        return [] if isinstance(field, fields.List) else ""
    match field:
        case fields.Mapping():
            return dict(_pair(name, value) for value in values)
        case fields.List(inner=fields.String()):
            return values
        case fields.List():
            return [_scalar(value) for value in values]
        case _ if len(values) > 1:
            return values
        case fields.Boolean() | fields.Number():
            return _scalar(values[0])
        case _:
            return values[0]


def _pair(name: str, text: str) -> tuple[str, str | None]:
    """A name and its value, after `=` or `:`; of a name alone, the value that is kept."""
    found = _PAIR.fullmatch(text)
    if found is None:
        raise InvalidValue(f"--set {name}={text}: write --set {name}=NAME=VALUE.", name)
    value = found["value"]
    return found["name"].strip(), None if value is None else _value(value, name)


def _scalar(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
