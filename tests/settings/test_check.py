"""`check` reads every file, says what is in each, and reports all problems of all of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline import settings
from pipeline.check import Report, check


def checked(tmp_path: Path, **files: str) -> Report:
    """Write files beside a tocsin.yaml that names them, and check."""
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    named = {
        "definitions": "normalise: {definitions: ",
        "pipelines": "routing: {pipelines: ",
        "kinds": "kinds: {file: ",
    }
    text = "".join(f"{named[name]}{name}.yaml}}\n" for name in named if name in files)
    file = tmp_path / "tocsin.yaml"
    file.write_text(text, encoding="utf-8")
    alarms = tmp_path / "alarms.yaml"
    return check(settings.load(file, {}), alarms if alarms.exists() else None)


DEFINITIONS = """\
- event_type: "*"
  traits: {a: payload.a, b: payload.b}
- event_type: "compute.*"
  traits: {a: payload.c}
"""
PIPELINES = """\
sources: [{name: a, events: ["*"], sinks: [s]}]
sinks: [{name: s, publishers: ["alarms://", "log://"]}]
"""


def test_files_that_can_be_used_are_described(tmp_path: Path) -> None:
    report = checked(tmp_path, definitions=DEFINITIONS, pipelines=PIPELINES)

    assert report.problems == ()
    total = len(settings.load(None, {}).origins)
    assert report.found == (
        f"{tmp_path}/tocsin.yaml: 2 settings; 0 from the environment; {total - 2} defaults",
        f"{tmp_path}/definitions.yaml: 2 definitions, 2 traits",
        f"{tmp_path}/pipelines.yaml: 1 source, publishing to alarms://, log://",
    )


def test_a_file_of_kinds_is_checked_where_one_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path}/kinds.yaml: 1 kind" in checked(tmp_path, kinds="kinds: [{id: mine}]").found
    assert [str(problem) for problem in checked(tmp_path, kinds="kinds: [{}]").problems] == [
        f"{tmp_path}/kinds.yaml:1:9 kinds[0].id: is missing. Give the kind an id."
    ]


def test_the_shipped_files_can_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    report = check(settings.load(None, {"TOCSIN_CONFIG": "", "TOCSIN_LOG_LEVEL": "debug"}))

    assert report.problems == ()
    assert [Path(line.split(":")[0]).name for line in report.found[1:]] == [
        "event_definitions.yaml",
        "pipelines.yaml",
    ]


def test_problems_of_all_files_are_reported_and_good_files_still_described(
    tmp_path: Path,
) -> None:
    report = checked(
        tmp_path,
        definitions='- event_type: "*"\n  traits: {a: {fields: payload.a, type: strng}}\n',
        pipelines=PIPELINES.replace("log", "lag"),
    )

    assert len(report.found) == 1
    assert [str(problem).split(" ")[0] for problem in report.problems] == [
        f"{tmp_path}/definitions.yaml:2:41",
        f"{tmp_path}/pipelines.yaml:2:45",
    ]


def test_an_alarms_file_is_checked_when_it_is_given(tmp_path: Path) -> None:
    alarm = "{name: a, type: event, event_rule: {event_type: x}, alarm_actions: ['%s']}"

    good = checked(tmp_path, alarms=f"alarms: [{alarm % 'log://'}]")
    bad = checked(tmp_path, alarms=f"alarms: [{alarm % 'lag://'}]")

    assert good.found[-1] == f"{tmp_path}/alarms.yaml: 1 alarm"
    assert [problem.file for problem in bad.problems] == [f"{tmp_path}/alarms.yaml"]


def test_a_file_that_is_not_there_or_not_yaml_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "tocsin.yaml").write_text("routing: {pipelines: none.yaml}", encoding="utf-8")
    (tmp_path / "definitions.yaml").write_text("- [", encoding="utf-8")
    environ = {"TOCSIN_NORMALISE_DEFINITIONS": str(tmp_path / "definitions.yaml")}

    report = check(settings.load(tmp_path / "tocsin.yaml", environ), tmp_path / "no.yaml")

    assert [problem.file for problem in report.problems] == [
        f"{tmp_path}/definitions.yaml",
        f"{tmp_path}/none.yaml",
        f"{tmp_path}/no.yaml",
    ]


def test_tracing_without_its_library_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.sampling", None)
    report = check(settings.load(None, {"TOCSIN_TRACING_ENABLED": "true"}))

    (problem,) = report.problems
    assert str(problem).startswith("environment TOCSIN_TRACING_ENABLED: ")
    assert "pip install 'tocsin[otel]'" in problem.message
