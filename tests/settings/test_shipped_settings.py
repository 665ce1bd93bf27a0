"""The shipped tocsin.yaml: it loads, and documents every setting with its default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline import settings, yaml_source
from pipeline.option_schema import Option, options_of
from pipeline.option_sources import fill

SHIPPED = Path(__file__).parents[2] / "tocsin.yaml"
OPTIONS = [
    pytest.param(name, option, id=f"{name}.{option.name}")
    for name, section in settings.sections().items()
    for option in options_of(section).values()
]


def uncommented() -> str:
    """The file with the # taken away from every setting; prose has a space behind it."""
    return re.sub(r"^(\s*)#(?=\w)", r"\1", SHIPPED.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_it_loads_and_changes_nothing() -> None:
    loaded = settings.load(SHIPPED, {})

    assert set(loaded.origins.values()) == {"default"}


def test_with_every_setting_uncommented_it_still_says_the_defaults() -> None:
    document = yaml_source.load(uncommented(), "tocsin.yaml")

    filled = fill(settings.sections(), document, {}, settings.PREFIX)

    assert filled.sections == {name: type() for name, type in settings.sections().items()}
    assert "default" not in filled.origins.values()


@pytest.mark.parametrize(("section", "option"), OPTIONS)
def test_every_setting_is_explained_above_its_line(section: str, option: Option) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    (content,) = re.findall(rf"^{section}:\n((?:  .*\n|\n)*)", text, flags=re.MULTILINE)

    blocks = [block for block in content.split("\n\n") if f"  #{option.name}: " in block]
    assert [explanation(block) for block in blocks] == [explained(option)]


def explained(option: Option) -> str:
    """What the file is to say of an option: paste it there when this test fails."""
    choices = f" One of {', '.join(option.choices)}." if option.choices else ""
    return f"{option.help}{choices}"


def explanation(block: str) -> str:
    """The prose above a setting, however it is wrapped."""
    prose = [line.strip()[2:] for line in block.splitlines() if line.strip().startswith("# ")]
    return " ".join(prose)


@pytest.mark.parametrize(("section", "option"), OPTIONS)
def test_no_setting_is_called_what_yaml_reads_as_something_else(
    section: str, option: Option
) -> None:
    read: dict[Any, Any] = yaml_source.load(f"{option.name}: 1", "").value

    assert list(read) == [option.name]
