"""Which template a notification's words come from, and what becomes of one that fails (15)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader
from structlog.testing import CapturingLogger
from templates.test_blocks import EVIL, Tags

from pipeline import yaml_source
from pipeline.errors import InvalidValue
from pipeline.kinds import BUILTIN, Kind, kinds_in
from pipeline.notification import Notification
from pipeline.severity import WORDS
from pipeline.templates import Templates, TemplatesSettings
from pipeline.templates.library import Owner, Shelf

from any_message import JSON as ANY_JSON
from builders import a_notification, an_occurrence

Write = Callable[..., Templates]


@pytest.fixture
def log() -> CapturingLogger:
    """What the templates log to."""
    return CapturingLogger()


@pytest.fixture
def with_files(tmp_path: Path, log: CapturingLogger) -> Write:
    """Templates whose directory has these files, and these kinds."""

    def written(files: dict[str, str], kinds: str = "") -> Templates:
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        registered = kinds_in(yaml_source.load(kinds, "kinds.yaml"))
        return Templates(TemplatesSettings(str(tmp_path)), registered, log)

    return written


MINE = "kinds: [{id: mine, extra_fields: true}]"


# --- the shipped ones ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BUILTIN, ids=lambda kind: kind.id)
def test_every_kind_is_told_by_shipped_templates_without_a_failure(kind: Kind) -> None:
    rendered = Templates().render(an_occurrence(kind.id, **kind.example_fields))

    everything = (rendered.title, rendered.text, rendered.html, rendered.markdown)
    assert all(everything)
    assert rendered.failures == []
    for value in kind.example_fields.values():
        if isinstance(value, str) and "T2" not in value and "T0" not in value:
            assert value.split("\n")[0] in rendered.title + rendered.text
    assert "http://" not in rendered.html
    assert "src=" not in rendered.html


def test_an_alarm_is_told_with_states_traits_and_reason() -> None:
    told = a_notification(alarm_name="user deleted", severity="critical")
    rendered = Templates().render(told)

    assert rendered.title == "user deleted: alarm"
    assert "moved the alarm: insufficient data → alarm" in rendered.text
    assert "\ninitiator_id  u-1\nproject_id    p-1\n" in rendered.text
    assert rendered.text.endswith(told.fields["reason"])
    assert "**insufficient data** → **alarm**" in rendered.markdown
    assert "- **initiator_id:** u-1" in rendered.markdown
    assert "#9f1239" in rendered.html


def test_a_composite_alarm_that_a_person_caused_is_told_without_an_event() -> None:
    """alarms 5"""
    cause = {"type": "composite", "composition_form": "(rule1)", "causative_rules": {}}
    told = a_notification(alarm_name="no way out", reason="(rule1) did it.", reason_data=cause)
    rendered = Templates().render(told)
    assert "has changed from" in rendered.text
    assert "(rule1) did it." in rendered.text


@pytest.mark.parametrize("kind", [kind.id for kind in BUILTIN if kind.extra_fields])
def test_a_field_that_comes_along_is_told_too(kind: str) -> None:
    fields = {**kinds_in(None).find(kind).example_fields, "room_no": "B 12"}
    rendered = Templates().render(an_occurrence(kind, **fields))

    assert "Room no" in rendered.text
    assert "B 12" in rendered.html


def test_a_kind_that_tocsin_has_may_get_another_title() -> None:
    text = "kinds: [{id: test, title: 'Is {{ fields.target }} there?'}]"
    kinds = kinds_in(yaml_source.load(text, "kinds.yaml"))
    rendered = Templates(kinds=kinds).render(an_occurrence("test", target="mail"))

    assert rendered.title == "Is mail there?"
    assert rendered.text.startswith("This is a test.")


def test_text_is_not_escaped_and_html_is() -> None:
    rendered = Templates().render(an_occurrence("message", text="a < b & c", title="<x>"))

    assert rendered.title == "<x>"
    assert rendered.text == "a < b & c"
    assert "a &lt; b &amp; c" in rendered.html
    assert "<title>&lt;x&gt;</title>" in rendered.html


def test_line_ends_in_a_subject_become_spaces() -> None:
    rendered = Templates().render(an_occurrence("message", text="x", title="a\nb\r\n  c\u2028d"))

    assert rendered.title == "a b c d"


def test_only_what_is_asked_for_is_rendered(with_files: Write, tmp_path: Path) -> None:
    templates = with_files({"test-body.html.j2": "{{ gone }}"})

    rendered = templates.render(an_occurrence("test"))

    assert rendered.text
    assert rendered.failures == []
    assert rendered.html
    assert [failure.place for failure in rendered.failures] == [f"{tmp_path}/test-body.html.j2:1"]


@given(
    st.sampled_from([*(kind.id for kind in BUILTIN), "mine"]),
    st.sampled_from(WORDS),
    st.data(),
)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=200)
def test_any_fields_are_told_and_only_as_text(id: str, severity: str, data: st.DataObject) -> None:
    names = st.sampled_from([*next((k.fields for k in BUILTIN if k.id == id), {}), "x", "items"])
    fields = data.draw(st.dictionaries(names | EVIL, ANY_JSON | EVIL, max_size=8))

    rendered = Templates().render(Notification(**_told(id, severity, fields)))

    assert rendered.title
    assert "\n" not in rendered.title
    for text in (rendered.title, rendered.text, rendered.html, rendered.markdown):
        text.encode("utf-8")
    tags = Tags(rendered.html)
    assert set(tags.tags) <= {
        *("html", "head", "meta", "title", "style", "body", "table", "tr", "td", "th", "div"),
        *("span", "h1", "h2", "h3", "p", "br", "pre", "code"),
    }


@pytest.mark.parametrize(
    "value",
    [
        "x" * 5_000_000,
        ["x" * 1_000] * 5_000,
        {f"key{n}": "x" for n in range(200_000)},
        [],
        10**100_000,
        "\ud800\0\x1b[31m",
        float("nan"),
    ],
    ids=["long text", "long list", "many keys", "nothing", "large number", "no text", "no number"],
)
def test_what_is_far_too_much_is_told_cut_down(value: Any) -> None:
    rendered = Templates().render(an_occurrence("message", text="x", more=value))

    assert len(rendered.text) < 500_000
    assert len(rendered.html) < 2_000_000
    assert rendered.markdown
    assert rendered.failures == []
    assert "\x1b" not in rendered.text
    rendered.html.encode("utf-8")


def test_a_thousand_fields_are_told() -> None:
    many = {f"field_{n}": "x" * 50 for n in range(1_000)}
    rendered = Templates().render(an_occurrence("message", text="x", **many))

    assert "Field 999" in rendered.text
    assert rendered.html
    assert rendered.failures == []


def test_deeply_nested_fields_are_told() -> None:
    nested: Any = "deep"
    for _ in range(5_000):
        nested = [nested]

    assert Templates().render(an_occurrence("mine", nested=nested)).text


# --- people's own --------------------------------------------------------------------------------


def test_html_comes_from_people_s_html_first(with_files: Write) -> None:
    files = {"test-body.html.j2": "<b>{{ fields.x }}</b>", "test-body.txt.j2": "text"}
    rendered = with_files(files).render(an_occurrence("test", x="<i>"))

    assert rendered.html == "<b>&lt;i&gt;</b>"


def test_html_comes_from_the_shipped_html_before_people_s_text(with_files: Write) -> None:
    rendered = with_files({"test-body.txt.j2": "mine"}).render(an_occurrence("test"))

    assert rendered.text == "mine"
    assert "This is a test." in rendered.html


def test_without_html_people_s_text_stands_in_pre(with_files: Write) -> None:
    rendered = with_files({"mine-body.txt.j2": "a < b\n  {{ fields.x }}"}, MINE).render(
        an_occurrence("mine", x="<i>")
    )

    assert rendered.text == "a < b\n  <i>"
    assert ">a &lt; b\n  &lt;i&gt;</pre>" in rendered.html
    assert rendered.html.startswith("<!DOCTYPE html>")
    assert rendered.markdown == "```\na < b\n  <i>\n```"


def test_a_template_for_all_forms_makes_each_of_them(with_files: Write) -> None:
    body = "x < {{ fields.x }}\n\n{{ details({'Host': fields.host}) }}\n"
    rendered = with_files({"test-body.j2": body}).render(
        an_occurrence("test", x="*<i>*", host="a")
    )

    assert rendered.text == "x < *<i>*\n\nHost  a"
    assert rendered.markdown == "x < \\*\\<i\\>\\*\n\n- **Host:** a"
    assert "x &lt; *&lt;i&gt;*</p>" in rendered.html
    assert "<table" in rendered.html


def test_a_markdown_template_alone_is_text_and_html_too(with_files: Write) -> None:
    rendered = with_files({"mine-body.md.j2": "**{{ fields.x }}**"}, MINE).render(
        an_occurrence("mine", x="a*b")
    )

    assert rendered.markdown == "**a\\*b**"
    assert rendered.text == "**a*b**"
    assert "**a*b**</pre>" in rendered.html


def test_a_kind_may_carry_its_own_title_and_body() -> None:
    kinds = kinds_in(
        yaml_source.load(
            "kinds: [{id: mine, extra_fields: true, title: '{{ fields.host }} is up',"
            " body: 'Up since {{ fields.since | timestamp }}.'}]",
            "kinds.yaml",
        )
    )
    rendered = Templates(kinds=kinds).render(an_occurrence("mine", host="a&b", since=0))

    assert rendered.title == "a&b is up"
    assert rendered.text == "Up since 1970-01-01 00:00:00 UTC."
    assert "Up since 1970-01-01 00:00:00 UTC.</p>" in rendered.html
    assert "<title>a&amp;b is up</title>" in rendered.html


def test_kinds_may_share_templates(with_files: Write) -> None:
    templates = with_files(
        {"shared-subject.j2": "shared {{ kind }}"}, "kinds: [{id: mine, template: shared}]"
    )
    assert templates.render(an_occurrence("mine")).title == "shared mine"


def test_templates_include_and_extend_people_s_and_shipped_ones(with_files: Write) -> None:
    templates = with_files(
        {
            "footer.j2": "mine, {{ severity }}",
            "test-body.j2": "{% include 'footer.j2' %}",
            "frame.html.j2": "{% extends 'shipped/frame.html.j2' %}"
            "{% block body %}{{ super() }}<hr>{% endblock %}",
        }
    )
    rendered = templates.render(an_occurrence("test"))

    assert rendered.text == "mine, info"
    assert "mine, info</p><hr>" in rendered.html
    assert rendered.failures == []


def test_nothing_outside_of_the_directory_is_included(with_files: Write, tmp_path: Path) -> None:
    (tmp_path.parent / "outside.j2").write_text("outside", encoding="utf-8")
    rendered = with_files({"test-subject.j2": "{% include '../outside.j2' %}"}).render(
        an_occurrence("test")
    )

    assert rendered.title == "Test"
    assert str(rendered.failures[0]) == (
        f"{tmp_path}/test-subject.j2:1: there is no template '../outside.j2'."
    )


def test_a_change_in_the_directory_is_noticed(with_files: Write, tmp_path: Path) -> None:
    templates = with_files({})
    told = an_occurrence("test")
    assert templates.render(told).title == "Test"

    (tmp_path / "test-subject.j2").write_text("{% include 'a.j2' %}")
    (tmp_path / "a.j2").write_text("first")
    assert templates.render(told).title == "first"

    (tmp_path / "a.j2").write_text("the second")
    assert templates.render(told).title == "the second"

    (tmp_path / "test-subject.j2").unlink()
    assert templates.render(told).title == "Test"


# --- what fails ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "place", "reason"),
    [
        ("a\n{{ gone }}", 2, "'gone' is undefined. Write `| default('')` behind what may be"),
        ("{{ fields.gone }}", 1, "has no attribute 'gone'"),
        ("{% if %}", 1, "Expected an expression"),
        ("a\nb\n{{ 1 / 0 }}", 3, "ZeroDivisionError: division by zero"),
        ("{{ fields | nothing }}", 1, "No filter named 'nothing'"),
        ("{{ table(['a'], 1) }}", 1, "a table needs a list of rows, not '1'."),
        ("{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", 1,
         "it does or writes too much"),
        ("{% include 'broken.j2' %}", 2, "'nothing' is undefined"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", 1, "RecursionError"),
        ("{{ " + "(" * 9_000 + "1" + ")" * 9_000 + " }}", None, "RecursionError"),
    ],
)  # fmt: skip
def test_a_template_that_fails_is_passed_over_and_told_of_once(
    with_files: Write, log: CapturingLogger, tmp_path: Path, template: str, place: int | None,
    reason: str,
) -> None:  # fmt: skip
    files = {"test-body.txt.j2": template, "broken.j2": "\n{{ nothing }}"}
    templates = with_files(files)

    for _ in range(3):
        rendered = templates.render(an_occurrence("test"))
        assert rendered.text.startswith("This is a test.")
        (failure,) = rendered.failures
        assert failure.line == place
        assert reason in failure.reason

    ((name, arguments, told),) = log.calls
    assert (name, arguments) == ("error", ("template.failed",))
    file = tmp_path / ("broken.j2" if "broken" in template else "test-body.txt.j2")
    assert told["template"] == (f"{file}:{place}" if place else str(file))
    assert told["kind"] == "test"
    assert reason in told["reason"]


def test_each_failure_is_counted(tmp_path: Path) -> None:
    (tmp_path / "test-body.txt.j2").write_text("{{ gone }}")
    counted: list[str] = []
    templates = Templates(TemplatesSettings(str(tmp_path)), failed=counted.append)

    for _ in range(2):
        assert templates.render(an_occurrence("test")).text

    assert counted == [f"{tmp_path}/test-body.txt.j2"] * 2


def test_an_empty_subject_is_passed_over(with_files: Write, tmp_path: Path) -> None:
    rendered = with_files({"test-subject.txt.j2": " \n"}).render(an_occurrence("test"))

    assert rendered.title == "Test"
    assert str(rendered.failures[0]) == (
        f"{tmp_path}/test-subject.txt.j2: it makes an empty subject."
    )


def test_people_s_failing_frame_gives_way_to_the_shipped_one(with_files: Write) -> None:
    rendered = with_files({"frame.html.j2": "{{ gone }}"}).render(an_occurrence("test"))

    assert "This is a test." in rendered.html
    assert rendered.html.startswith("<!DOCTYPE html>")


def test_a_failing_html_falls_to_the_shipped_one_then_to_text(with_files: Write) -> None:
    files = {"mine-body.html.j2": "{{ gone }}", "mine-body.txt.j2": "text"}
    rendered = with_files(files, MINE).render(an_occurrence("mine"))

    assert ">text</pre>" in rendered.html


def test_only_when_all_fail_there_is_an_error(with_files: Write) -> None:
    kinds = "kinds: [{id: mine, title: '{{ gone }}', body: '{{ gone }}'}]"
    templates = with_files({"mine-body.txt.j2": "\n{{ gone }}"}, kinds)
    without_shipped = {**templates.library.shelves(), Owner.SHIPPED: Shelf(DictLoader({}))}
    templates.library.shelves = lambda: without_shipped  # type: ignore[method-assign]

    with pytest.raises(InvalidValue, match=r"no subject template of mine can be used: kind mine "):
        _ = templates.render(an_occurrence("mine")).title


def test_a_missing_directory_is_as_good_as_an_empty_one(tmp_path: Path) -> None:
    templates = Templates(TemplatesSettings(str(tmp_path / "gone")))

    assert templates.render(an_occurrence("test")).title == "Test"


def _told(kind: str, severity: str, fields: dict[str, Any]) -> dict[str, Any]:
    told = an_occurrence(kind, severity)
    return {
        "notification_id": told.notification_id,
        "severity": severity,
        "created_at": told.created_at,
        "subject": type(told.subject)(kind, fields),
    }
