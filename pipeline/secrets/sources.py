"""Sources: the environment and the files that lookups in targets' options lead to.

Called when a target is made or used, so that a file that was replaced is heard of without a
restart. What is wrong is said with the lookup, never with a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

from pipeline.errors import InvalidValue
from pipeline.lookups import Lookup

_LARGEST_FILE: Final = 64 * 1024


class Sources:
    """What lookups give. `allowed` are patterns of them: `env:*`, `file:/run/secrets/*`."""

    def __init__(self, environ: Mapping[str, str], allowed: Sequence[str]) -> None:
        self._environ, self._allowed = environ, allowed

    def __call__(self, lookup: Lookup) -> str:
        """What a lookup stands for. Raises `InvalidValue` where there is nothing."""
        wanted = f"{lookup.source}:{lookup.name}"
        if ".." in PurePosixPath(lookup.name).parts or not any(
            fnmatchcase(wanted, pattern) for pattern in self._allowed
        ):
            raise InvalidValue(
                f"{lookup} is none of those that secrets.lookups allows:"
                f" {', '.join(self._allowed) or 'none'}"
            )
        return self._variable(lookup) if lookup.source == "env" else _file(lookup)

    def _variable(self, lookup: Lookup) -> str:
        value = self._environ.get(lookup.name)
        if not value:
            raise InvalidValue(
                f"{lookup}: the environment has no such variable, or an empty one. Set it for the"
                " notifiers and start them again"
            )
        return value


def _file(lookup: Lookup) -> str:
    path = Path(lookup.name)
    if not path.is_absolute():
        raise InvalidValue(f"{lookup}: write the file's whole path, from / on")
    try:
        with path.open("rb") as file:
            found = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidValue(
            f"{lookup}: the file cannot be read: {reason}. Put it there, readable to the notifiers"
        ) from error
    return _text(lookup, found)


def _text(lookup: Lookup, found: bytes) -> str:
    """The file's text without the line end that editors leave at its end."""
    try:
        text = found.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InvalidValue(f"{lookup}: the file is not text in UTF-8") from None
    if not text or len(found) > _LARGEST_FILE:
        what = "empty" if not text else f"longer than {_LARGEST_FILE // 1024} KiB"
        raise InvalidValue(f"{lookup}: the file is {what}")
    return text
