"""SectionConfig: the format of Proxmox's configuration files. Pure.

    gotify: phone
        server https://gotify.example
        comment on call

A section begins with its type and name; its properties stand further in, each a word, and its
value to the end of the line. A property that stands there again is one more of a list. Lines that
begin with # are comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.errors import Problem

_HEADER = re.compile(r"(?P<type>[A-Za-z0-9_-]+):\s*(?P<name>\S+)\s*")


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its properties in their order, and where each stands."""

    file: str
    line: int
    type: str
    name: str
    properties: list[tuple[str, str, int]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Every value of a property."""
        return [value for each, value, _ in self.properties if each == name]

    def one(self, name: str) -> str:
        """The last value of a property, `''` for none."""
        return next(iter(reversed(self.all(name))), "")

    def problem(self, property: str, message: str) -> Problem:
        """A problem with a property, or with the section where it has none such."""
        lines = [line for each, _, line in self.properties if each == property]
        return Problem(
            self.file, lines[0] if lines else self.line, None, self._path(property), message
        )

    def _path(self, property: str) -> str:
        return f"{self.type} {self.name}{f' {property}' if property else ''}"


def sections(text: str, file: str, problems: list[Problem]) -> Iterator[Section]:
    """The sections of a file. Lines that are none of anything are added to the problems."""
    section: Section | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            name, _, value = line.strip().partition(" ")
            if section is None:
                message = "a property without a section before it."
                problems.append(Problem(file, number, None, name, message))
            else:
                section.properties.append((name, value.strip(), number))
            continue
        if section is not None:
            yield section
        section = _begun(line, number, file, problems)
    if section is not None:
        yield section


def _begun(line: str, number: int, file: str, problems: list[Problem]) -> Section | None:
    found = _HEADER.fullmatch(line)
    if found is None:
        message = "no section begins so: `type: name` is needed, properties stand further in."
        problems.append(Problem(file, number, None, "", message))
        return None
    return Section(file, number, found["type"], found["name"])
