"""YAML values know their place."""

from __future__ import annotations

import pytest

from pipeline import registry, yaml_source
from pipeline.errors import ConfigError, InvalidValue

TEXT = """\
- event_type: a.*
  traits: &base
    host: {type: strng, fields: payload.host}
- event_type: b.*
  traits:
    <<: *base
    size: {type: int}
"""


def test_problem_names_file_line_column_and_path() -> None:
    document = yaml_source.load(TEXT, "defs.yaml")
    problem = document.problem([0, "traits", "host", "type"], "unknown type 'strng'.")
    assert str(problem) == "defs.yaml:3:18 [0].traits.host.type: unknown type 'strng'."


def test_merged_value_has_the_place_where_it_was_written() -> None:
    document = yaml_source.load(TEXT, "defs.yaml")
    assert document.value[1]["traits"]["host"]["type"] == "strng"
    assert document.place([1, "traits", "host", "type"]) == (3, 18)
    assert document.place([1, "traits", "size"], key=True) == (7, 5)


def test_missing_value_has_the_place_of_its_parent() -> None:
    document = yaml_source.load(TEXT, "defs.yaml")
    assert document.place([1, "traits", "size", "fields"]) == (7, 11)


def test_syntax_error_says_where() -> None:
    with pytest.raises(ConfigError) as raised:
        yaml_source.load("a: [1, 2\nb: 3\n", "x.yaml")
    (problem,) = raised.value.problems
    assert (problem.file, problem.line) == ("x.yaml", 2)


def test_missing_file_is_a_config_error(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read: No such file"):
        yaml_source.load_file(tmp_path / "gone.yaml")


def test_recursive_alias_and_binary_do_not_crash() -> None:
    assert yaml_source.load("a: &a [1]\nb: *a\n", "x.yaml").value == {"a": [1], "b": [1]}
    with pytest.raises(ConfigError):
        yaml_source.load(b"\xff\xfe\x00\xd8", "x.yaml")


@pytest.mark.parametrize(
    "text",
    ["- !!timestamp x", "- !!bool maybe", "- !!int x", "- !!binary 5", "- !!python/name:os x"],
)
def test_value_that_is_not_of_its_tag_is_a_config_error(text: str) -> None:
    """events-in 31: whatever the file holds, what runs stays in force."""
    with pytest.raises(ConfigError, match=r"^x\.yaml: *"):
        yaml_source.load(text, "x.yaml")


def test_problems_of_marshmallow_messages_are_flattened() -> None:
    document = yaml_source.load("a:\n  - b: 1\n", "x.yaml")
    problems = document.problems({"a": {0: {"b": ["Bad.", "Worse."], "_schema": ["Odd."]}}})
    assert [str(p) for p in problems] == [
        "x.yaml:2:8 a[0].b: Bad.",
        "x.yaml:2:8 a[0].b: Worse.",
        "x.yaml:2:5 a[0]: Odd.",
    ]


def test_unknown_plugin_names_the_known_ones() -> None:
    with pytest.raises(InvalidValue, match=r"unknown nonsense 'x'\. Use one of "):
        registry.find("tocsin.nonsense", "x")


def test_near_word_is_suggested() -> None:
    assert registry.one_of("strng", ["text", "string"]) == (
        "Use one of text, string. Did you mean 'string'?"
    )


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [1, 1, 1, 1, 1]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)),
        "a: &a [*a]",
        "a: &a {b: {<<: *a}}",
    ],
)
def test_aliases_that_multiply_without_end_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="its aliases make more than 1,000,000 values more"):
        yaml_source.load(text, "bomb.yaml")


def test_aliases_are_good_for_what_is_said_several_times() -> None:
    text = "x: &x {a: 1}\ny: {<<: *x, b: 2}\nz: [*x, *x]"
    read = yaml_source.load(text, "x.yaml").value
    assert (read["y"], read["z"]) == ({"a": 1, "b": 2}, [{"a": 1}] * 2)


def test_what_is_nested_very_deep_is_refused() -> None:
    """Whoever looks into it goes down by calls."""
    assert yaml_source.load("[" * 90 + "]" * 90, "x.yaml").value
    for depth in (110, 500, 900):
        with pytest.raises(ConfigError, match="it is nested more than 100 deep"):
            yaml_source.load("[" * depth + "]" * depth, "deep.yaml")
