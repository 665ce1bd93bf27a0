"""Reads the options that stand in a publisher's URL: `file:///path?max_bytes=1000&json`.

Called by the publishers when they are made. Every error names the option and how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from marshmallow import Schema, ValidationError

from pipeline.errors import InvalidValue
from pipeline.registry import did_you_mean


def read_options(url: str, schema: Schema) -> Mapping[str, Any]:
    """The URL's query arguments, checked by a schema. Raises `InvalidValue` with all problems."""
    given = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    unknown = [name for name in given if name not in schema.fields]
    messages = [_unknown(name, list(schema.fields)) for name in unknown]
    try:
        options: Mapping[str, Any] = schema.load(
            {name: text for name, text in given.items() if name not in unknown}
        )
    except ValidationError as error:
        problems: Mapping[str, list[str]] = error.messages_dict
        messages += [f"{name}: {text}" for name, texts in problems.items() for text in texts]
    if messages:
        raise InvalidValue(" ".join(messages))
    return options


def expect_bare(url: str) -> None:
    """Raise `InvalidValue` unless the URL is a scheme and nothing else, as `log://`."""
    parts = urlsplit(url)
    if parts.netloc or parts.path or parts.query or parts.fragment:
        bare = f"{parts.scheme}://"
        raise InvalidValue(f"{bare} takes no host, path or options. Write just {bare}")


def _unknown(name: str, known: list[str]) -> str:
    choices = ", ".join(known)
    return f"{name}: unknown option. Use one of {choices}.{did_you_mean(name, known)}"
