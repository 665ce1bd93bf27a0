"""Way: how the requests of one target go, beside what they say.

Made of the options that every target over HTTP has (`HttpSchema`), once for each target. Values
only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from marshmallow import Schema

from pipeline.hiding import spellings
from pipeline.targets.options import is_secret


@dataclass(frozen=True, slots=True)
class Way:
    """How requests go. What is empty or None is as the settings say.

    `timeout_seconds` bounds an attempt as a whole. `secrets` are all spellings of what no outcome
    may hold.
    """

    verify: bool | None = None
    ca_bundle: str = ""
    client_certificate: str = ""
    client_key: str = ""
    proxy: str = ""
    proxy_credentials: str = field(default="", repr=False)
    timeout_seconds: float = inf
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def has_tls(self) -> bool:
        """Whether it has certificates of its own."""
        return bool(self.ca_bundle or self.client_certificate)


ORDINARY: Final = Way()
"""The way of what has no options of its own."""


def way_of(schema: type[Schema], options: Mapping[str, Any], timeout_seconds: float = inf) -> Way:
    """The way that a target's options ask for; `timeout_seconds` where they name none."""
    secrets = [
        text
        for name, held in schema().fields.items()
        if is_secret(held)
        for text in _texts(options.get(name))
    ]
    return Way(
        verify=options.get("verify"),
        ca_bundle=options.get("ca_bundle", ""),
        client_certificate=options.get("client_certificate", ""),
        client_key=options.get("client_key", ""),
        proxy=options.get("proxy", ""),
        proxy_credentials=options.get("proxy_credentials", ""),
        timeout_seconds=options.get("timeout") or timeout_seconds,
        secrets=spellings(secrets),
    )


def _texts(value: Any) -> list[str]:
    """The texts in what a secret option holds: one, several, or some by name."""
    match value:
        case None:
            return []
        case Mapping():
            return [text for item in value.values() for text in _texts(item)]
        case list() | tuple():
            return [text for item in value for text in _texts(item)]
    text = str(value)
    # Of `user:password` the password alone as well.
    return [text, text.partition(":")[2]] if ":" in text else [text]
