"""Which templates a notification's words may come from, the first that works (notifications 15).

Files are called `NAME-subject.txt.j2`, `NAME-body.txt.j2`, `NAME-body.html.j2`,
`NAME-body.md.j2`; `NAME-subject.j2` and `NAME-body.j2` are rendered in each form. Pure; called by
`pipeline.templates.render`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.kinds import Kind
from pipeline.templates.blocks import Form
from pipeline.templates.library import Owner

SUBJECT: Final = "subject"
BODY: Final = "body"
FRAME: Final = "frame.html.j2"
"""What is around an HTML body that is no whole page by itself."""
_DEFAULT: Final = "default"
_ENDINGS = {Form.TEXT: "txt.j2", Form.HTML: "html.j2", Form.MARKDOWN: "md.j2"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One template that may be used: a file of an owner's, or the `source` in a kind's entry.

    It is rendered in `form`. `verbatim` says that the text it makes stands in a body of another
    form as it is, lines and blanks kept; `page`, that it makes a whole HTML page.
    """

    owner: Owner
    file: str
    form: Form
    source: str = ""
    verbatim: bool = False
    page: bool = False


def candidates(kind: Kind, part: str, form: Form) -> Iterator[Candidate]:
    """Where a kind's subject or body may come from, the best first."""
    if part == SUBJECT:
        for name in (kind.template_name, _DEFAULT):
            yield from _own(kind, name, SUBJECT, Form.TEXT)
    else:
        yield from _bodies(kind, kind.template_name, form)
        yield from _bodies(kind, _DEFAULT, form)


def _bodies(kind: Kind, name: str, form: Form) -> Iterator[Candidate]:
    """People's in this form, the shipped ones in this form, people's text, the shipped text."""
    yield from _own(kind, name, BODY, form)
    for owner in Owner:
        for other in (Form.TEXT, Form.MARKDOWN):
            if other is not form:
                file = f"{name}-{BODY}.{_ENDINGS[other]}"
                yield Candidate(owner, file, Form.TEXT, verbatim=form is not Form.TEXT)


def _own(kind: Kind, name: str, part: str, form: Form) -> Iterator[Candidate]:
    source = kind.title if part == SUBJECT else kind.body
    yield from _files(Owner.USER, name, part, form)
    if source and name == kind.template_name:
        yield Candidate(Owner.USER, f"kind {kind.id} {part}", form, source)
    yield from _files(Owner.SHIPPED, name, part, form)


def _files(owner: Owner, name: str, part: str, form: Form) -> Iterator[Candidate]:
    yield Candidate(owner, f"{name}-{part}.{_ENDINGS[form]}", form, page=form is Form.HTML)
    yield Candidate(owner, f"{name}-{part}.j2", form)
