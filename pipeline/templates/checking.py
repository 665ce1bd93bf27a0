"""Checking: what is wrong with people's templates, as far as can be seen before they are used.

Called by `tocsin check` and `tocsin template list`. A template that passes may still fail on what
is told: `tocsin template preview` tries it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from jinja2 import meta

from pipeline.errors import Problem
from pipeline.kinds import Kind, Kinds
from pipeline.registry import did_you_mean
from pipeline.templates.blocks import Form
from pipeline.templates.failures import failure_of
from pipeline.templates.library import FormEnvironment, Library, Owner, Shelf

_NAMED = re.compile(r"(?P<name>[^/]+)-(?:subject|body)\.(?:(?:txt|html|md)\.)?j2")
_FORMS: Final = {".txt.j2": Form.TEXT, ".html.j2": Form.HTML, ".md.j2": Form.MARKDOWN}
NAMES: Final = frozenset(
    {
        *("created_at", "fields", "kind", "notification_id", "severity", "timestamp", "traits"),
        *("body", "colour", "described", "description", "font", "renderers", "title"),
    }
)
"""What templates see (`pipeline.templates.context`)."""


def problems_in(directory: str, kinds: Kinds) -> tuple[int, list[Problem]]:
    """How many templates the directory has, and everything that is wrong with them."""
    if not Path(directory).is_dir():
        message = "there is no such directory. Make it, or mend templates.directory."
        return 0, [Problem(directory, None, None, "", message)]
    shelf = Library(directory).shelves()[Owner.USER]
    files = sorted(name for name in shelf.files if name.endswith(".j2"))
    return len(files), [problem for name in files for problem in _of_file(shelf, name, kinds)]


def inline_problems(kind: Kind) -> Iterator[tuple[str, str]]:
    """What is wrong with the templates in a kind's entry: under which key, and what."""
    environment = FormEnvironment(Form.TEXT)
    for key, source in (("title", kind.title), ("body", kind.body)):
        for line, message in _of_source(environment, source):
            yield key, f"line {line} of it: {message}" if line and line > 1 else message


def _of_file(shelf: Shelf, name: str, kinds: Kinds) -> Iterator[Problem]:
    path = shelf.path(name)
    if message := _unknown_name(name, kinds):
        yield Problem(path, None, None, "", message)
    form = next((form for ending, form in _FORMS.items() if name.endswith(ending)), Form.TEXT)
    try:
        source = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(path, None, None, "", f"cannot be read as UTF-8: {error}")
        return
    # What another file includes finds more names than are known here.
    whole = _NAMED.fullmatch(name) is not None
    for line, message in _of_source(shelf.environments[form], source, whole=whole):
        yield Problem(path, line, None, "", message)


def _unknown_name(name: str, kinds: Kinds) -> str:
    found = _NAMED.fullmatch(name)
    known = {kind.template_name for kind in kinds} | {"default"}
    if found is None or found["name"] in known:
        return ""
    return f"no kind uses it: none has the template {found['name']!r}." + did_you_mean(
        found["name"], sorted(known)
    )


def _of_source(
    environment: FormEnvironment, source: str, *, whole: bool = True
) -> Iterable[tuple[int | None, str]]:
    try:
        unknown = meta.find_undeclared_variables(environment.parse(source))
        environment.compile(source)
    except Exception as error:  # noqa: BLE001 - whatever Jinja2 and Python have of a wrong syntax
        failure = failure_of(error, "")
        return [(failure.line, failure.reason)]
    known = NAMES | environment.globals.keys()
    return [
        (_line_of(source, name), f"there is no {name!r} here.{did_you_mean(name, sorted(known))}")
        for name in sorted(unknown - known if whole else ())
    ]


def _line_of(source: str, name: str) -> int:
    found = re.search(rf"\b{re.escape(name)}\b", source)
    return source.count("\n", 0, found.start()) + 1 if found else 1
