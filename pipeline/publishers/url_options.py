"""Reads the options that stand in a publisher's URL: `file:///path?max_bytes=1000&json`.

Called by the publishers when they are made. Every error names the option and how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from marshmallow import Schema, ValidationError
from marshmallow.validate import OneOf

from pipeline.errors import InvalidValue
from pipeline.registry import did_you_mean


def read_options(url: str, schema: Schema, *, others: bool = False) -> Mapping[str, Any]:
    """The URL's query arguments, checked by a schema. Raises `InvalidValue` with all problems.

    With `others`, arguments that the schema does not know are somebody else's, and left out.
    """
    given = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    unknown = [name for name in given if name not in schema.fields]
    messages = [] if others else [_unknown(name, list(schema.fields)) for name in unknown]
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


def one_of(*choices: str) -> OneOf:
    """The validator of an option that is one of these words."""
    return OneOf(choices, error="'{input}' is not known. Use one of {choices}.")


def checked_authority(url: str) -> None:
    """Raise `InvalidValue` unless the URL names a host, and a port that can be one."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise InvalidValue(f"names no host. Write {parts.scheme}://user:password@host:port/…")
    try:
        usable = parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # Not the port itself: where a password holds a slash, that is what would be shown.
        raise InvalidValue(
            "its port is no number from 1 to 65535. A / ? # or @ in a password is written "
            "%2F, %3F, %23 or %40."
        )


def expect_bare(url: str) -> None:
    """Raise `InvalidValue` unless the URL is a scheme and nothing else, as `log://`."""
    parts = urlsplit(url)
    if parts.netloc or parts.path or parts.query or parts.fragment:
        bare = f"{parts.scheme}://"
        raise InvalidValue(f"{bare} takes no host, path or options. Write just {bare}")


def _unknown(name: str, known: list[str]) -> str:
    choices = ", ".join(known)
    return f"{name}: unknown option. Use one of {choices}.{did_you_mean(name, known)}"
