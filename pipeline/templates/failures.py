"""Failures: what is wrong with a template, and where in it, for people. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from traceback import walk_tb
from typing import Final

from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError

from pipeline.errors import TocsinError
from pipeline.masking import MASK

_INLINE: Final = "<template>"
_LONGEST_REASON: Final = 500
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")


@dataclass(frozen=True, slots=True)
class Failure:
    """A template that could not be used: its file, its line where that is known, and why."""

    file: str
    line: int | None
    reason: str

    @property
    def place(self) -> str:
        """`/etc/tocsin/templates/alarm-transition-body.txt.j2:3`."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def failure_of(error: BaseException, file: str) -> Failure:
    """What went wrong in the template `file`, or in one that it includes."""
    if isinstance(error, TemplateSyntaxError):
        return Failure(_named(error.filename, file), error.lineno, _reason(error))
    name, line = file, None
    for frame, number in walk_tb(error.__traceback__):
        # Jinja2 puts frames with the names and lines of templates in place of its own.
        if "__jinja_exception__" in frame.f_globals:
            line = number
            name = _named(frame.f_code.co_filename, file)
    return Failure(name, line, _reason(error))


def masked_reason(error: BaseException, source: str, secrets: Collection[str]) -> str:
    """Why a template failed, where the values that it saw may be secret.

    Of what the error quotes only words of the template itself are left.
    """
    if isinstance(error, TemplateSyntaxError):
        return f"{_reason(error)} (line {error.lineno})."  # It has seen no value yet.
    if not isinstance(error, (TemplateError, TocsinError)):
        return f"{type(error).__name__} in line {failure_of(error, '').line or 1}."
    reason = _QUOTED.sub(lambda found: _shown(found, source), _reason(error))
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        reason = reason.replace(secret, MASK)
    return reason


def _shown(found: re.Match[str], source: str) -> str:
    words = found[1] if found[1] is not None else found[2]
    return found[0] if words in source or words.endswith(" object") else f"'{MASK}'"


def _reason(error: BaseException) -> str:
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name!r}."
    text = " ".join(str(getattr(error, "message", None) or error).split())[:_LONGEST_REASON]
    if isinstance(error, UndefinedError):
        return f"{text}. Write `| default('')` behind what may be missing."
    if isinstance(error, (TemplateError, TocsinError)):
        return text
    return f"{type(error).__name__}: {text}"


def _named(filename: str | None, file: str) -> str:
    return file if filename in (None, _INLINE) else filename
