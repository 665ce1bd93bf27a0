"""Files: YAML files and directories → texts, and texts → items, with all problems at once.

Files are read where the person is, and understood where what they say is applied.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from pipeline.as_code.items import LISTS, Item
from pipeline.errors import ConfigError, Problem
from pipeline.registry import did_you_mean
from pipeline.yaml_source import Document

_SUFFIXES: Final = (".yaml", ".yml")


def texts(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Name and text of these files, and of all .yaml and .yml files below these directories.

    Raises `ConfigError` with all that cannot be read.
    """
    problems: list[Problem] = []
    names = [file for path in paths for file in _files(path, problems)]
    found = [(str(file), _text(file, problems)) for file in names]
    if problems:
        raise ConfigError(problems)
    return found


def items_of(document: Document, problems: list[Problem]) -> list[Item]:
    """The items of one document; what is wrong with the others is added to the problems."""
    return list(_items(document, problems))


def _text(file: Path, problems: list[Problem]) -> str:
    try:
        read = file.read_bytes()
        utf16 = read.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return read.decode("utf-16" if utf16 else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        message = f"cannot be read: {reason}. Check the path, its permissions and its encoding."
        problems.append(Problem(str(file), None, None, "", message))
        return ""


def _files(path: Path, problems: list[Problem]) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix in _SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not found:
        message = f"there is no file that ends in {' or '.join(_SUFFIXES)}. Name another folder."
        problems.append(Problem(str(path), None, None, "", message))
    return found


def _items(document: Document, problems: list[Problem]) -> Iterator[Item]:
    value: Any = document.value
    if value is None:  # only comments
        return
    if not isinstance(value, dict):
        known = ", ".join(LISTS)
        problems.append(document.problem((), f"a mapping with lists is needed here: {known}."))
        return
    for key, found in value.items():
        if key not in LISTS:
            hint = did_you_mean(str(key), list(LISTS)) or f" Use {', '.join(LISTS)}."
            problems.append(document.problem((str(key),), f"unknown key.{hint}", key=True))
        elif not isinstance(found, list):
            if found is not None:
                problems.append(document.problem((key,), "a list is needed here."))
        else:
            yield from _listed(document, key, found, problems)


def _listed(
    document: Document, key: str, found: list[Any], problems: list[Problem]
) -> Iterator[Item]:
    for number, data in enumerate(found):
        if isinstance(data, dict):
            yield Item(LISTS[key], data, partial(_problem, document, (key, number)))
        else:
            message = f"{LISTS[key]}: an object with named fields is needed here."
            problems.append(document.problem((key, number), message))


def _problem(
    document: Document, at: tuple[str | int, ...], path: Sequence[str | int], message: str
) -> Problem:
    return document.problem((*at, *path), message)
