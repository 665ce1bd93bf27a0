"""Files: YAML files and directories → items, and all problems of all files at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline import yaml_source
from pipeline.as_code.items import LISTS, Item
from pipeline.errors import ConfigError, Problem
from pipeline.registry import did_you_mean
from pipeline.yaml_source import Document

_SUFFIXES: Final = (".yaml", ".yml")


class Read(NamedTuple):
    """The items that could be read, and what is wrong with the files of the others."""

    items: list[Item]
    problems: list[Problem]


def read(paths: Iterable[Path]) -> Read:
    """The items of these files, and of all .yaml and .yml files below these directories."""
    found = Read([], [])
    for path in paths:
        for file in _files(path, found.problems):
            try:
                document = yaml_source.load_file(file)
            except ConfigError as error:
                found.problems.extend(error.problems)
            else:
                found.items.extend(_items(document, found.problems))
    return found


def items_of(document: Document) -> list[Item]:
    """The items of one document. Raises `ConfigError`."""
    problems: list[Problem] = []
    items = list(_items(document, problems))
    if problems:
        raise ConfigError(problems)
    return items


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
