"""`tocsin template` and `tocsin kind`: where words come from, and what is guaranteed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import structlog

from pipeline.alarms.alarm import EventRule, Severity
from pipeline.cli.kinds import kind
from pipeline.cli.templates import template
from pipeline.kinds import BUILTIN, KindsSettings
from pipeline.store.sql import SqlStore
from pipeline.templates import TemplatesSettings

from builders import an_alarm, an_event, an_occurrence
from cli.application import At, Tocsin

CAPTURED = Path(__file__).parents[1] / "data" / "keystone-basic.jsonl"


@pytest.fixture
def tocsin(store: SqlStore, tmp_path: Path, at: At) -> Tocsin:
    tocsin = Tocsin(store, template, kind, at=at)
    tocsin.application.template_settings = TemplatesSettings(str(tmp_path))
    return tocsin


# --- kinds ---------------------------------------------------------------------------------------


def test_kinds_are_listed_and_shown_with_their_fields(tocsin: Tocsin) -> None:
    listed = json.loads(tocsin("kind", "list", "-f", "json"))
    shown = json.loads(tocsin("kind", "show", "backup", "-f", "json"))

    assert [row["id"] for row in listed] == [each.id for each in BUILTIN]
    assert shown["policy"] == "auto"
    assert shown["fields"][0]["name"] == "job"
    table = tocsin("kind", "show", "backup")
    assert "[size] (bytes): How much was written." in table
    assert "Did you mean 'backup'" in tocsin.fails("kind", "show", "bakup")


def test_kinds_of_people_s_own_are_among_them(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "kinds.yaml").write_text("kinds: [{id: mine, policy: never}]")
    tocsin.application.kind_settings = KindsSettings(str(tmp_path / "kinds.yaml"))

    assert tocsin("kind", "list", "-f", "value", "-c", "id").endswith("mine\n")


# --- templates -----------------------------------------------------------------------------------


def test_it_is_listed_where_words_come_from(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "test-body.html.j2").write_text("mine")

    rows = {row["kind"]: row for row in json.loads(tocsin("template", "list", "-f", "json"))}

    assert rows["test"] == {
        "kind": "test",
        "subject": "shipped",
        "text": "shipped",
        "html": f"{tmp_path}/test-body.html.j2",
        "markdown": "shipped",
    }


@pytest.mark.parametrize("kind", [each.id for each in BUILTIN])
def test_an_example_of_every_kind_is_shown_in_every_format(tocsin: Tocsin, kind: str) -> None:
    subject = tocsin("template", "preview", kind, "-f", "subject")

    assert tocsin("template", "preview", kind).startswith(subject)
    assert tocsin("template", "preview", kind, "-f", "markdown").startswith(f"# {subject}")
    assert tocsin("template", "preview", kind, "--format", "html").startswith("<!DOCTYPE html>")


def test_fields_and_severity_take_the_place_of_the_example_s(tocsin: Tocsin) -> None:
    shown = tocsin(
        *("template", "preview", "backup", "--field", "size=1GiB", "--severity", "critical"),
        *("--field", "job=mine"),
    )
    assert "1 GiB" in shown
    assert "mine" in shown
    refused = tocsin.fails("template", "preview", "backup", "--field", "size=big", code=2)
    assert "size: expects a number of bytes" in refused
    assert "NAME=VALUE" in tocsin.fails("template", "preview", "backup", "--field", "x", code=2)


def test_an_event_of_a_captured_file_is_shown(tocsin: Tocsin) -> None:
    shown = tocsin("template", "preview", "alarm-transition", "--event", str(CAPTURED))

    assert shown.startswith("example: identity.")
    assert "insufficient data → alarm" in shown
    assert "\nTraits\n------\n" in shown


@pytest.mark.parametrize("indent", [None, 2])
def test_an_event_that_was_normalised_before_is_shown(
    tocsin: Tocsin, tmp_path: Path, indent: int | None
) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(an_event(host="compute-7").as_dict(), indent=indent))

    assert "compute-7" in tocsin("template", "preview", "alarm-transition", "--event", str(file))


def test_an_event_of_the_archive_is_told_by_an_alarm(tocsin: Tocsin, store: SqlStore) -> None:
    event = an_event(host="compute-7")
    store.keep_events([event])
    store.create(
        an_alarm(name="deleted", severity=Severity.CRITICAL, all_projects=True, enabled=False)
    )
    store.create(an_alarm(name="other", rule=EventRule("compute.*"), all_projects=True))

    def shown(kind: str, alarm: str) -> tuple[str, ...]:
        return ("template", "preview", kind, "--event", event.message_id[:8], "--alarm", alarm)

    assert "deleted: alarm\n" in tocsin(*shown("alarm-transition", "deleted"))
    assert "deleted: alarm again\n" in tocsin(*shown("alarm-repeat", "deleted"))
    assert "does not fire on" in tocsin.fails(*shown("alarm-transition", "other"), code=2)
    assert "give --field" in tocsin.fails(*shown("backup", "deleted"), code=2)


def test_what_was_told_before_is_shown_again(tocsin: Tocsin, store: SqlStore) -> None:
    with store.begin() as transaction:
        transaction.save_notification(an_occurrence("message", text="told before"), ["log://"])
    (record,) = store.deliveries()
    reference = ("--event", record.delivery_id)

    assert "told before" in tocsin("template", "preview", "message", *reference)
    refused = tocsin.fails("template", "preview", "test", *reference, code=2)
    assert "is of kind message, not test" in refused


def test_what_is_not_there_is_said_to_be_nowhere(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("no event\n")

    gone = tocsin.fails("template", "preview", "alarm-transition", "--event", "gone")
    assert "is no file, no event in the archive and no delivery" in gone
    empty = tocsin.fails(
        *("template", "preview", "alarm-transition", "--event"),
        str(tmp_path / "empty.jsonl"),
        code=2,
    )
    assert "there is no event in it" in empty


def test_a_template_that_fails_is_told_and_the_next_one_shown(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "test-body.txt.j2").write_text("\n{{ gone }}")

    result = tocsin.run("template", "preview", "test")

    assert result.exit_code == 1
    assert "This is a test." in result.stdout
    assert f"Passed over: {tmp_path}/test-body.txt.j2:2: 'gone' is undefined." in result.stderr


def test_a_title_that_fails_is_told_of_once(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "test-subject.j2").write_text("{{ severity | uper }}")
    (tmp_path / "test-body.j2").write_text("{{ title }}")

    result = tocsin.run("template", "preview", "test")

    assert result.stderr.count("Passed over: ") == 1


def test_a_preview_logs_nothing(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "test-body.txt.j2").write_text("{{ gone }}")

    with structlog.testing.capture_logs() as logged:
        tocsin.run("template", "preview", "test")

    assert logged == []
