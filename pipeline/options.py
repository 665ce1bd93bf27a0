"""How a part declares its settings: a frozen dataclass whose fields are made by `option`.

The dataclass stands beside the part that it configures; `pipeline.settings` collects them all,
reads file and environment into them, and knows from the metadata what to validate, mask and
document. Field types: str, int, float, bool, tuple[str, ...], tuple[float, ...],
Mapping[str, Any], and `| None` of these.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import field
from typing import Any


def option(
    default: Any,
    help: str,
    *,
    secret: bool = False,
    choices: Collection[str] | None = None,
    minimum: float | None = None,
    path: bool = False,
) -> Any:
    """A settings field: its default, one sentence for people, and what a value must satisfy.

    `secret` values print as `***`; the password inside any URL is masked without being told.
    `choices` bounds a string (or each of a tuple's), `minimum` a number. A relative `path`
    that stands in a settings file is meant from that file's folder.
    """
    metadata = {
        "help": help,
        "secret": secret,
        "choices": choices,
        "minimum": minimum,
        "path": path,
    }
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)
