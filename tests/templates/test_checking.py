"""`tocsin check` says what is wrong with people's templates before they are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import settings
from pipeline.check import Report, check
from pipeline.kinds import kinds_in
from pipeline.templates.checking import problems_in
from pipeline.templates.settings import SHIPPED_TEMPLATES


def problems_of(directory: Path) -> list[str]:
    _, problems = problems_in(str(directory), kinds_in(None))
    return [str(problem) for problem in problems]


def test_the_shipped_templates_have_no_problem() -> None:
    assert problems_of(SHIPPED_TEMPLATES) == []


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("test-body.j2", "\n{{ tilte }}", ":2: there is no 'tilte' here. Did you mean 'title'?"),
        ("test-body.j2", "{% if %}", ":1: Expected an expression, got 'end of statement block'"),
        ("test-body.j2", "a\n{{ 1 | upper | uper }}", ":2: No filter named 'uper'."),
        ("tset-body.txt.j2", "x", ": no kind uses it: none has the template 'tset'."),
        ("test-body.html.j2", "\udc80", ": cannot be read as UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, file: str, text: str, problem: str
) -> None:
    (tmp_path / file).write_bytes(text.encode("utf-8", "surrogateescape"))

    (said,) = problems_of(tmp_path)

    assert said.startswith(f"{tmp_path}/{file}{problem}")


def test_what_is_included_may_find_more_names(tmp_path: Path) -> None:
    (tmp_path / "row.j2").write_text("{{ row }}")
    (tmp_path / "test-body.j2").write_text(
        "{% for row in [1] %}{% include 'row.j2' %}{% endfor %}"
    )
    (tmp_path / "notes.txt").write_text("{{ anything")

    assert problems_of(tmp_path) == []


def test_a_directory_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "gone") == [
        f"{tmp_path}/gone: there is no such directory. Make it, or mend templates.directory."
    ]


def checked(tmp_path: Path, kinds: str) -> Report:
    (tmp_path / "kinds.yaml").write_text(kinds)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "mine-body.j2").write_text("hello")
    file = tmp_path / "tocsin.yaml"
    file.write_text("kinds: {file: kinds.yaml}\ntemplates: {directory: templates}\n")
    return check(settings.load(file, {}))


def test_a_directory_is_checked_with_the_kinds_in_force(tmp_path: Path) -> None:
    report = checked(tmp_path, "kinds: [{id: mine, title: '{{ fields.x }}'}]")

    assert report.problems == ()
    assert report.found[-2:] == (
        f"{tmp_path}/kinds.yaml: 1 kind",
        f"{tmp_path}/templates: 1 template",
    )


def test_templates_in_kinds_are_checked(tmp_path: Path) -> None:
    report = checked(tmp_path, "kinds:\n- id: mine\n  title: '{{ filds.x }}'\n  body: '{% x %}'\n")

    assert [str(problem) for problem in report.problems] == [
        f"{tmp_path}/kinds.yaml:3:10 kinds[0].title: there is no 'filds' here."
        " Did you mean 'fields'?",
        f"{tmp_path}/kinds.yaml:4:9 kinds[0].body: Encountered unknown tag 'x'.",
    ]
